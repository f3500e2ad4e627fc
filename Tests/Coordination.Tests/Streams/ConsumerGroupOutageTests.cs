using System.Globalization;
using System.Text.RegularExpressions;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using AspireRedis.Topology;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed partial class ConsumerGroupOutageTests
{
    [Fact]
    public async Task Acknowledgements_that_are_refused_are_tried_again_on_the_same_connection()
    {
        await using var own = await OwnServers.StartAsync();
        await using var admin = await TestClient.ConnectAsync(own.ConnectionString);
        await admin.Database.ExecuteAsync("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-xack");
        await using var client = await TestClient.ConnectAsync($"{own.ConnectionString},user=app,password=secret");
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("refused"), new() { Group = "g" });
        await client.AppendNumbersAsync("refused", 0, 10);
        await Eventually.TrueAsync(async () => await StatisticAsync("commandstats", RefusedAcknowledgements()) > 2, "they are refused");
        var connections = await StatisticAsync("stats", Connections());

        await Eventually.TrueAsync(async () => await StatisticAsync("commandstats", RefusedAcknowledgements()) > 12, "they are tried again");

        Assert.Equal(connections, await StatisticAsync("stats", Connections()));
        await admin.Database.ExecuteAsync("ACL", "SETUSER", "app", "+xack");
        await Eventually.TrueAsync(async () => await admin.Database.PendingAsync("refused", "g") == 0, "nothing is pending");

        async Task<int> StatisticAsync(string section, Regex pattern)
            => int.Parse(pattern.Match((string)(await admin.Database.ExecuteAsync("INFO", section))!).Groups[1].Value,
                CultureInfo.InvariantCulture);
    }

    [GeneratedRegex("cmdstat_xack:.*rejected_calls=([0-9]+)")]
    private static partial Regex RefusedAcknowledgements();

    [GeneratedRegex("total_connections_received:([0-9]+)")]
    private static partial Regex Connections();

    [Fact]
    public async Task A_server_that_is_killed_and_started_again_loses_nothing_that_was_acknowledged_and_consumption_goes_on()
    {
        await using var own = await OwnServers.StartAsync(
            new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.AofAlways });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString, configure: o => o.AsyncTimeout = 1000);
        var topic = Numbered.Topic("restarted");
        await using var group = new RunningGroup<Numbered>(client, topic, new() { Group = "g", MinIdle = TimeSpan.FromSeconds(1) });

        var appended = new List<int>();
        for (var round = 0; round < 3; round++)
        {
            var dying = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var appending = Task.Run(async () =>
            {
                for (var number = round * 100_000; ; number++)
                {
                    try
                    {
                        await client.Producer.AppendAsync(topic, new Numbered(number));
                    }
                    catch (Exception e) when (e is RedisException or TimeoutException)
                    {
                        return;
                    }
                    appended.Add(number);
                    if (number % 100_000 == 200)
                    {
                        dying.SetResult();
                    }
                }
            });
            await dying.Task.WaitAsync(TimeSpan.FromSeconds(30));
            own.Server.Kill();
            await appending;
            await own.Server.StartAsync();
            await Eventually.TrueAsync(() => client.Database.KeyExistsAsync("restarted"), "the client is connected again");
        }

        await Eventually.TrueAsync(() => !appended.Except(group.Received.Numbers()).Any(), "each acknowledged event is handled");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("restarted", "g") == 0, "nothing is pending");
        Assert.False(group.Completion.IsCompleted);
    }

    [Fact]
    public async Task A_server_that_comes_back_empty_gets_its_group_again()
    {
        await using var own = await OwnServers.StartAsync(
            new RedisTopologyOptions { Replicas = 0, Sentinels = 0, Persistence = RedisPersistence.None });
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("emptied"), new() { Group = "g" });
        await client.AppendNumbersAsync("emptied", 1, 1);
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");

        own.Server.Kill();
        await own.Server.StartAsync();
        await Eventually.HoldsAsync(() => client.AppendNumbersAsync("emptied", 2, 1), "the client is connected again");

        await Eventually.TrueAsync(() => group.Received.Any(m => m.Value.Number == 2), "consumption goes on");
    }

    [Fact]
    public async Task A_stream_that_is_deleted_gets_its_group_again()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("deleted"),
            new() { Group = "g", Block = TimeSpan.FromHours(1) });
        await client.AppendNumbersAsync("deleted", 1, 1);
        await Eventually.TrueAsync(() => group.Received.Count == 1, "the event is handled");

        await client.Database.KeyDeleteAsync("deleted");
        await client.AppendNumbersAsync("deleted", 2, 1);

        await Eventually.TrueAsync(() => group.Received.Count == 2, "consumption goes on");
    }

    [Fact]
    public async Task A_connection_that_is_killed_is_replaced_and_what_it_read_is_not_lost()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("cut"),
            new() { Group = "g", MinIdle = TimeSpan.FromHours(1) });
        for (var round = 0; round < 20; round++)
        {
            await Task.WhenAll(client.AppendNumbersAsync("cut", round * 50, 50), KillReaderAsync());
        }

        // Without MinIdle's help: it looks for what was read and never arrived.
        await Eventually.TrueAsync(() => group.Received.Numbers().Distinct().Count() == 1000, "each event is handled");
        await Eventually.TrueAsync(async () => await client.Database.PendingAsync("cut", "g") == 0, "nothing is pending");

        async Task KillReaderAsync()
        {
            var clients = ((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n');
            foreach (var reader in clients.Where(c => c.Contains("cut-g", StringComparison.Ordinal)))
            {
                await client.Database.ExecuteAsync("CLIENT", "KILL", "ID", reader.Split(' ')[0]["id=".Length..]);
            }
        }
    }
}
