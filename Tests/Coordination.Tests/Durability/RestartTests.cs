using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests;

/// <summary>Nodes that are killed and started again, one by one and all at once, while writes are acknowledged.</summary>
public sealed class RestartTests(SentinelFixture redis) : IClassFixture<SentinelFixture>
{
    private static readonly RedisScript s_add = RedisScript.Load<RestartTests>("add", repeatable: true);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Each_node_one_by_one_and_all_at_once_lose_nothing_that_was_acknowledged()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var writer = client.CreateWriter(new());
        var acknowledged = new List<int>();
        using var stopping = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !stopping.IsCancellationRequested; i++)
            {
                try
                {
                    await writer.EvaluateAsync(s_add, ["restarts"], [i], Durability.Replica, default);
                    lock (acknowledged)
                    {
                        acknowledged.Add(i);
                    }
                }
                catch (Exception e) when (e is NotDurableException or RedisUnavailableException or RedisOutcomeUnknownException)
                {
                    // Not acknowledged.
                }
                await Task.Delay(5);
            }
        });
        foreach (var node in redis.Redis.Topology.Nodes)
        {
            await WritesGoOnAsync();
            redis.Redis[node].Kill();
            await redis.Redis[node].StartAsync();
            await redis.Redis.WaitUntilCompleteAsync(s_bound);
        }
        await WritesGoOnAsync();
        foreach (var node in redis.Redis.Topology.Nodes)
        {
            redis.Redis[node].Kill();
        }
        await Task.WhenAll(redis.Redis.Topology.Nodes.Select(n => redis.Redis[n].StartAsync()));
        await redis.Redis.WaitUntilCompleteAsync(s_bound);
        await WritesGoOnAsync();

        await stopping.CancelAsync();
        await writing;
        var present = (await client.Database.SetMembersAsync("restarts")).Select(v => (int)v).ToHashSet();
        Assert.DoesNotContain(acknowledged, i => !present.Contains(i));

        Task WritesGoOnAsync()
        {
            int before;
            lock (acknowledged)
            {
                before = acknowledged.Count;
            }
            return Eventually.TrueAsync(
                () =>
                {
                    lock (acknowledged)
                    {
                        return acknowledged.Count > before + 20;
                    }
                },
                "writes are acknowledged", s_bound);
        }
    }
}
