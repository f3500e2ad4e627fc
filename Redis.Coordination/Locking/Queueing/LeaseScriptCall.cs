using System.Diagnostics;
using AspireRedis.Coordination.Regions.Permission;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>A script with all that it needs.</summary>
/// <param name="Script">The script.</param>
/// <param name="Keys">Its keys.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Group">Calls it together with others that are made at the same time; null where it goes by itself.</param>
internal readonly record struct LeaseScriptCall(RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments, ScriptGroup? Group = null)
{
    // A planned switch of regions refuses leases for a moment; then it holds all writes up, and then this is no place to write.
    private static readonly TimeSpan s_handOver = TimeSpan.FromMilliseconds(20);

    public ValueTask<RedisResult> RunAsync(RedisDeployment deployment)
        => deployment.ShardOf(Keys).Guard is null ? SendAsync(deployment) : RunInRegionAsync(deployment);

    private async ValueTask<RedisResult> RunInRegionAsync(RedisDeployment deployment)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await SendAsync(deployment);
            }
            catch (RedisServerException e) when (RegionGuard.IsHandingOver(e) && Stopwatch.GetElapsedTime(start) < RedisShard.Bound)
            {
                await Task.Delay(s_handOver);
            }
        }
    }

    private ValueTask<RedisResult> SendAsync(RedisDeployment deployment)
        => Group is null
            ? deployment.ShardOf(Keys).EvaluateAsync(Script, Keys, Arguments)
            : Group.CallAsync(deployment, Script, Keys, Arguments);
}
