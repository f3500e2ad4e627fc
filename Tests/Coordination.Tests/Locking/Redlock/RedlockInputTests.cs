using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Coordination.Tests.Locking.Redlock;

public sealed class RedlockInputTests(RedlockFixture redis) : IClassFixture<RedlockFixture>
{
    public static TheoryData<string[], string> RefusedNodes => new()
    {
        { [], "must name at least one node" },
        { [""], "without a server" },
        { ["password=x"], "without a server" },
        { ["a:1,b:2", "A:1"], "names A:1 twice" },
        { ["a,b,a:6379"], "names a:6379 twice" },
        { ["a:1,b:2,serviceName=shop"], "Sentinel" },
        { ["a:1,noSuchOption=1"], "no connection string" },
    };

    [Theory]
    [MemberData(nameof(RefusedNodes), DisableDiscoveryEnumeration = true)]
    public void Nodes_that_cannot_be_used_are_refused(string[] nodes, string complaint)
    {
        var options = new RedlockOptions();
        foreach (var node in nodes)
        {
            options.Nodes.Add(node);
        }
        var thrown = Assert.ThrowsAny<ArgumentException>(() => Create(options));
        Assert.Contains("RedlockOptions.Nodes", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, thrown.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        (RedlockOptions Options, string Name)[] refused =
        [
            (new() { MaxTtl = TimeSpan.Zero }, "RedlockOptions.MaxTtl"),
            (new() { MaxTtl = TimeSpan.FromHours(2) }, "RedlockOptions.MaxTtl"),
            (new() { NodeTimeout = TimeSpan.Zero }, "RedlockOptions.NodeTimeout"),
            (new() { NodeTimeout = TimeSpan.FromHours(1) }, "RedlockOptions.NodeTimeout"),
            (new() { RestartedNodes = (RestartedNodes)7 }, "RedlockOptions.RestartedNodes"),
        ];
        foreach (var (options, name) in refused)
        {
            options.Nodes.Add("localhost:1");
            Assert.Contains(name, Assert.ThrowsAny<ArgumentException>(() => Create(options)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Names_and_lease_options_are_checked()
    {
        await using var client = await RedlockClient.ConnectAsync(redis.Redis, o => o.MaxTtl = TimeSpan.FromSeconds(20));
        await Assert.ThrowsAsync<ArgumentNullException>(() => client.Leases.AcquireAsync(null!));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.Leases.AcquireAsync(""));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.Leases.AcquireAsync(new string('x', 1025)));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.Leases.AcquireAsync("x",
            new LeaseOptions { WaitTimeout = TimeSpan.FromTicks(-1) }));
        var thrown = await Assert.ThrowsAnyAsync<ArgumentException>(() => client.Leases.AcquireAsync("x",
            new LeaseOptions { Ttl = TimeSpan.FromSeconds(21) }));
        Assert.Contains("LeaseOptions.Ttl", thrown.Message, StringComparison.Ordinal);
        Assert.Contains("RedlockOptions.MaxTtl", thrown.Message, StringComparison.Ordinal);
        await (await client.Leases.AcquireAsync("x", new LeaseOptions { Ttl = TimeSpan.FromSeconds(20) })).DisposeAsync();
    }

    [Theory]
    [InlineData(',')]
    [InlineData(';')]
    public async Task The_nodes_come_from_a_connection_string(char separator)
    {
        await using var services = Services(string.Join(separator, redis.Redis.Topology.LockNodeConnectionStrings));
        var leases = services.GetRequiredKeyedService<ILeaseProvider>("locks");
        await using var client = await RedlockClient.ConnectAsync(redis.Redis);
        await using var lease = await leases.AcquireAsync("configured");
        await Eventually.TrueAsync(async () => await client.HeldOnAsync("configured") == 5, "all nodes have it");
    }

    [Fact]
    public async Task Without_nodes_the_setting_is_named()
    {
        await using var services = Services(null);
        var thrown = Assert.Throws<InvalidOperationException>(() => services.GetRequiredKeyedService<ILeaseProvider>("locks"));
        Assert.Contains("ConnectionStrings:locks", thrown.Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Services(string? nodes)
    {
        var services = new ServiceCollection();
        services.AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:locks"] = nodes }).Build());
        services.AddRedlock(configure: (o, _) => o.RestartedNodes = RestartedNodes.CountAtOnce);
        return services.BuildServiceProvider();
    }

    private static RedlockProvider Create(RedlockOptions options)
        => new(options, TimeProvider.System, NullLogger<RedlockProvider>.Instance);
}
