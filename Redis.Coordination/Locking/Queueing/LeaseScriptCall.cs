using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Queueing;

/// <summary>A script with all that it needs.</summary>
/// <param name="Script">The script.</param>
/// <param name="Keys">Its keys.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Group">Calls it together with others that are made at the same time; null where it goes by itself.</param>
internal readonly record struct LeaseScriptCall(RedisScript Script, RedisKey[] Keys, RedisValue[] Arguments, ScriptGroup? Group = null)
{
    public ValueTask<RedisResult> RunAsync(RedisDeployment deployment)
        => Group is null
            ? deployment.ShardOf(Keys).EvaluateAsync(Script, Keys, Arguments)
            : Group.CallAsync(deployment, Script, Keys, Arguments);
}
