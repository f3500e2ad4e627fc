using System.Globalization;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Samples.Tests;

/// <summary>Each sample as a newcomer runs it, against real servers: what it prints, and that it ends.</summary>
public sealed class SampleTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Lease()
    {
        var output = await RunAsync("Lease", redis.ConnectionString);

        Assert.Collection(output,
            line => Assert.StartsWith("Acquired sample:report, fencing token ", line, StringComparison.Ordinal),
            line => Assert.Equal("Nobody else acquires it meanwhile.", line),
            line => Assert.EndsWith(": higher.", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_connection_string_may_come_from_the_environment()
    {
        var output = await RunAsync("Lease", [], new Dictionary<string, string?> { ["ConnectionStrings__redis"] = redis.ConnectionString });

        Assert.Equal(3, output.Count);
    }

    [Fact]
    public async Task Guarded_write()
    {
        var output = await RunAsync("GuardedWrite", redis.ConnectionString);

        Assert.Equal(["The first lease is lost.", "The holder writes 5: accepted.", "The late one writes 9: refused.", "In stock: 5."], output);
    }

    [Fact]
    public async Task Rate_limit()
    {
        var output = await RunAsync("RateLimit", redis.ConnectionString);

        Assert.Equal(Enumerable.Range(1, 5).Select(n => $"Request {n} is permitted."), output.Take(5));
        Assert.Matches("^Request 6 is (refused for [0-9.]+ s|permitted).$", output[5]);
        Assert.Equal(output[5].Contains("refused", StringComparison.Ordinal) ? ["Then it is permitted."] : [], output.Skip(6));
    }

    [Fact]
    public async Task Streams()
    {
        var output = await RunAsync("Streams", redis.ConnectionString);

        Assert.Equal("All are handled.", output[^1]);
        Assert.Equal(
            [
                "Appended Bremen.", "Appended Kiel.", "Appended Ulm.",
                "Handled Bremen, delivery 1.", "Handled Kiel, delivery 2.", "Handled Ulm, delivery 1.", "Kiel failed.",
            ],
            output.SkipLast(1).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Durable_write_on_a_single_server()
    {
        var output = await RunAsync("DurableWrite", redis.ConnectionString);

        Assert.Equal(2, output.Count);
        Assert.StartsWith("Replica: written, but not acknowledged.", output[0], StringComparison.Ordinal);
        Assert.Equal("Memory: written and acknowledged.", output[1]);
    }

    [Fact]
    public async Task Durable_write_with_a_replica()
    {
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 1, Sentinels = 0 });

        var output = await RunAsync("DurableWrite", servers.ConnectionString);

        Assert.Equal(["Replica: written and acknowledged.", "Memory: written and acknowledged."], output);
    }

    [Fact]
    public async Task Semaphore()
    {
        var output = await RunAsync("Semaphore", redis.ConnectionString);

        Assert.Equal(7, output.Count);
        Assert.Equal("At most 2 at a time.", output[^1]);
        Assert.All(Enumerable.Range(1, 6), caller => Assert.Single(
            output, line => line == $"Caller {caller} has permit 1." || line == $"Caller {caller} has permit 2."));
    }

    [Fact]
    public async Task Redlock_with_a_node_that_is_dead_and_with_two()
    {
        await using var servers = await OwnServers.StartAsync(new RedisTopologyOptions { Replicas = 0, Sentinels = 0, LockNodes = 3 });
        var nodes = servers.Redis.Topology.LockNodes;
        var addresses = string.Join(',', servers.Redis.Topology.LockNodeConnectionStrings.Select(c => c.Split(',')[0]));
        servers.Redis[nodes[0]].Kill();
        // Who has just started does not count until its stay out is over.
        foreach (var node in nodes.Skip(1))
        {
            await UntilUpForAsync(servers.Redis.Topology.ConnectionStringOf(node), seconds: 5);
        }

        var acquired = await RunAsync("Redlock", addresses);
        servers.Redis[nodes[1]].Kill();
        var refused = await RunAsync("Redlock", [addresses], null, exitCode: 1);

        Assert.StartsWith("Acquired sample:nightly-report, fencing token ", Assert.Single(acquired), StringComparison.Ordinal);
        Assert.Contains("sample:nightly-report", refused[0], StringComparison.Ordinal);
    }

    private static async Task UntilUpForAsync(string connectionString, int seconds)
    {
        using var connection = await ConnectionMultiplexer.ConnectAsync($"{connectionString},allowAdmin=true");
        var server = connection.GetServers().Single();
        await Eventually.TrueAsync(async () =>
        {
            var uptime = (await server.InfoAsync("server")).SelectMany(g => g).First(p => p.Key == "uptime_in_seconds").Value;
            return int.Parse(uptime, CultureInfo.InvariantCulture) >= seconds;
        }, $"{server.EndPoint} is up for {seconds} s");
    }

    private static Task<IReadOnlyList<string>> RunAsync(string sample, string connectionString)
        => RunAsync(sample, [connectionString], null);

    private static async Task<IReadOnlyList<string>> RunAsync(
        string sample, string[] arguments, IReadOnlyDictionary<string, string?>? environment, int exitCode = 0)
    {
        await using var process = ServiceProcess.StartDotNet(BuiltProject.Path($"samples/{sample}"), environment, arguments);
        await Eventually.TrueAsync(() => process.HasExited, $"{sample} ends", s_bound);
        Assert.True(process.ExitCode == exitCode, $"{sample} ended with {process.ExitCode}: {process.Output}");
        return process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
