using AspireRedis.LocalServers;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class ClusterMoveTests
{
    private const int Keys = 300;
    private const int Rounds = 10;

    /// <summary>
    /// A node that sends keys answers nobody: three that send each other some at the same moment waited for one another until they were
    /// taken for dead.
    /// </summary>
    [Fact]
    public async Task Slots_that_are_moved_in_a_circle_at_the_same_time_arrive_with_all_keys()
    {
        await using var cluster = await LocalCluster.StartAsync(
            RedisClusterTopology.Create(new() { ReplicasPerPrimary = 0 }), Directory.CreateTempSubdirectory("aspire-redis-").FullName,
            deleteDirectory: true);
        var primaries = cluster.Topology.Primaries;
        // A slot of each, by a key that is in it.
        var slots = new int[primaries.Count];
        for (var (i, key) = (0, 0); i < primaries.Count; key++)
        {
            var slot = await cluster.Control.ExecuteAsync(primaries[i], CancellationToken.None, "CLUSTER", "KEYSLOT", $"{{{key}}}");
            slots[i] = (int)(long)slot!;
            if (await cluster.PrimaryOfAsync(slots[i]) == primaries[i])
            {
                await cluster.Control.ExecuteAsync(primaries[i++], CancellationToken.None, "EVAL",
                    "for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i, string.rep('x', 20000)) end", "1", $"{{{key}}}", $"{Keys}");
            }
        }

        for (var round = 0; round < Rounds; round++)
        {
            await Task.WhenAll(slots.Select(async (slot, i) =>
            {
                var (from, to) = (primaries[(i + round) % primaries.Count], primaries[(i + round + 1) % primaries.Count]);
                await cluster.MoveSlotAsync(slot, from, to);
            }));
        }

        foreach (var (slot, i) in slots.Select((s, i) => (s, i)))
        {
            var primary = primaries[(i + Rounds) % primaries.Count];
            Assert.Equal(primary, await cluster.PrimaryOfAsync(slot));
            Assert.Equal((long)Keys,
                await cluster.Control.ExecuteAsync(primary, CancellationToken.None, "CLUSTER", "COUNTKEYSINSLOT", $"{slot}"));
        }
    }
}
