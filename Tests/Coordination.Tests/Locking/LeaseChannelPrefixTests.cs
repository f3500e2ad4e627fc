using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

/// <summary>
/// Clients whose connection string has a <c>channelPrefix</c>, beside others with another one or none: each is told of its lease, and
/// nobody waits for the end of a TTL.
/// </summary>
public sealed class LeaseChannelPrefixTests(LeaseChannelPrefixTests.Servers redis) : IClassFixture<LeaseChannelPrefixTests.Servers>
{
    private const string Prefix = ",channelPrefix=app:é ";

    // Within the bound neither TTL ends.
    private static readonly LeaseOptions s_long = new() { Ttl = TimeSpan.FromMinutes(5), WaitTimeout = TimeSpan.FromMinutes(10) };
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("lease", Prefix, "")]
    [InlineData("lease", "", Prefix)]
    [InlineData("lease", Prefix, ",channelPrefix=other")]
    [InlineData("shared", Prefix, "")]
    [InlineData("semaphore", Prefix, "")]
    public async Task A_waiter_is_told_of_the_release(string kind, string waiter, string holder)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString + waiter);
        await using var other = await TestClient.ConnectAsync(redis.ConnectionString + holder);
        var name = $"prefix:{kind}:{waiter}:{holder}";
        var held = await Leases(other).AcquireAsync(name, s_long);
        // Two: the place of the second is found by the token of its owner.
        Task<ILease>[] waiting = [Leases(client).AcquireAsync(name, s_long), Leases(client).AcquireAsync(name, s_long)];
        await Eventually.TrueAsync(async () => await QueuedAsync() == 2, "both wait");

        await held.DisposeAsync();
        var first = await Task.WhenAny(waiting).WaitAsync(s_bound);
        await (await first).DisposeAsync();
        await (await waiting.Single(w => w != first).WaitAsync(s_bound)).DisposeAsync();

        Task<long> QueuedAsync() => kind == "lease" ? other.QueuedAsync(name)
            : other.Database.ListLengthAsync(new LeaseKeys(name).Companion($"{kind}:queue"));

        ILeaseProvider Leases(TestClient of) => kind switch
        {
            "lease" => of.Leases,
            "shared" => of.SharedLeases.Exclusive,
            _ => of.Semaphores.WithPermits(1),
        };
    }

    [Fact]
    public async Task A_waiter_on_independent_nodes_is_told_of_the_release()
    {
        await using var one = await RedlockClient.ConnectAsync(redis.Redis, o => AddToNodes(o, Prefix));
        await using var other = await RedlockClient.ConnectAsync(redis.Redis);
        var held = await other.Leases.AcquireAsync("prefix", s_long);
        var waiting = one.Leases.AcquireAsync("prefix", s_long);
        await Eventually.TrueAsync(async () => (await Task.WhenAll(one.Nodes.Select(async n =>
            (await n.ExecuteAsync("PUBSUB", "CHANNELS", "*redlock-free:prefix")).Length))).Sum() == 3, "it listens at every node");

        await held.DisposeAsync();
        await (await waiting.WaitAsync(s_bound)).DisposeAsync();

        static void AddToNodes(RedlockOptions options, string suffix)
        {
            string[] nodes = [.. options.Nodes];
            options.Nodes.Clear();
            foreach (var node in nodes)
            {
                options.Nodes.Add(node + suffix);
            }
        }
    }

    public sealed class Servers() : LocalRedisFixture(RedlockNodes.Of(3));
}
