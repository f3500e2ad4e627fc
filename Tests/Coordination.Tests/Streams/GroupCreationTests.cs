using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Puppet.Holding;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

/// <summary>A group that exists must be drained, whatever keeps its consumers from creating it.</summary>
public sealed class GroupCreationTests
{
    [Fact]
    public async Task A_consumer_starts_and_reconnects_on_a_server_whose_memory_is_full()
    {
        await using var own = await OwnServers.StartAsync();
        await using var client = await TestClient.ConnectAsync(own.ConnectionString);
        await PrepareAsync(client, "full");
        await client.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        Assert.StartsWith("OOM", (await Assert.ThrowsAsync<RedisServerException>(() => client.Database.StreamAddAsync("full", "a", "b")))
            .Message, StringComparison.Ordinal);

        for (var start = 0; start < 2; start++)
        {
            await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("full"),
                new() { Group = "g", BatchSize = 1, MaxConcurrency = 1 });
            await Eventually.TrueAsync(() => group.Received.Count > 0, "it consumes");
            if (start == 1)
            {
                await KillReadersAsync(client, "full-g");
                await Eventually.TrueAsync(async () => await new StreamGroups(client.Deployment)
                    .DescribeAsync("full", "g") is { Lag: 0, Pending: 0 }, "it has drained the stream");
            }
        }
    }

    [Fact]
    public async Task A_consumer_needs_no_permission_to_create_a_group_that_exists()
    {
        await using var own = await OwnServers.StartAsync();
        await using var admin = await TestClient.ConnectAsync(own.ConnectionString);
        await PrepareAsync(admin, "permitted");
        await admin.Database.ExecuteAsync("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-xgroup|create");
        await using var client = await TestClient.ConnectAsync($"{own.ConnectionString},user=app,password=secret");

        await using var group = new RunningGroup<Numbered>(client, Numbered.Topic("permitted"), new() { Group = "g" });

        await Eventually.TrueAsync(() => group.Received.Count == 1000, "it has drained the stream");
    }

    private static async Task PrepareAsync(TestClient client, string stream)
    {
        await client.AppendNumbersAsync(stream, 0, 1000);
        await client.Database.StreamCreateConsumerGroupAsync(stream, "g", "0");
    }

    private static async Task KillReadersAsync(TestClient client, string name)
    {
        var clients = ((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n');
        foreach (var reader in clients.Where(c => c.Contains(name, StringComparison.Ordinal)))
        {
            await client.Database.ExecuteAsync("CLIENT", "KILL", "ID", reader.Split(' ')[0]["id=".Length..]);
        }
    }
}
