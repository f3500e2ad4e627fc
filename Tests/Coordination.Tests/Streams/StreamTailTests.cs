using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamTailTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task It_reads_what_there_is_and_what_is_appended_and_says_when_what_it_has_read_is_not_there_any_more()
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var database = client.Database;
        var tail = new StreamTail(client.Deployment, "tail", new StreamTailOptions { BatchSize = 2 });
        await using var batches = tail.ReadAsync(bound.Token).GetAsyncEnumerator(bound.Token);

        Assert.Equal((true, true, ""), await NextAsync());
        await database.StreamAddAsync("tail", "n", "1", "1-1");
        Assert.Equal((false, true, "1-1=1"), await NextAsync());
        await database.StreamAddAsync("tail", "n", "2", "1-2");
        Assert.Equal((false, true, "1-2=2"), await NextAsync());

        // Another primary, which had not got the last one, gives its id to another entry.
        await database.StreamDeleteAsync("tail", ["1-2"]);
        await database.KeyDeleteAsync("tail");
        await database.StreamAddAsync("tail", "n", "1", "1-1");
        await database.StreamAddAsync("tail", "n", "other", "1-2");
        await database.StreamAddAsync("tail", "n", "3", "1-3");
        Assert.Equal((true, false, "1-1=1 1-2=other"), await NextAsync());
        Assert.Equal((false, true, "1-3=3"), await NextAsync());

        // So many that some are gone before they are read.
        for (var i = 4; i <= 9; i++)
        {
            await database.StreamAddAsync("tail", "n", i, $"1-{i}", maxLength: 2);
        }
        List<(bool, bool, string)> rest = [];
        do
        {
            rest.Add(await NextAsync());
        }
        while (!rest[^1].Item3.EndsWith("1-9=9", StringComparison.Ordinal));
        Assert.Contains(rest, b => b.Item1);

        async Task<(bool, bool, string)> NextAsync()
        {
            Assert.True(await batches.MoveNextAsync());
            var batch = batches.Current;
            return (batch.StartsAnew, batch.IsCaughtUp, string.Join(' ', batch.Entries.Select(e => $"{e.Id}={e["n"]}")));
        }
    }

    [Fact]
    public async Task Who_has_read_full_batches_only_is_told_that_there_is_no_more()
    {
        using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        for (var i = 1; i <= 4; i++)
        {
            await client.Database.StreamAddAsync("full", "n", i);
        }
        var tail = new StreamTail(client.Deployment, "full", new StreamTailOptions { BatchSize = 2 });
        List<(int Entries, bool IsCaughtUp)> batches = [];
        await foreach (var batch in tail.ReadAsync(bound.Token))
        {
            batches.Add((batch.Entries.Count, batch.IsCaughtUp));
            if (batch.IsCaughtUp)
            {
                break;
            }
        }
        Assert.Equal([(2, false), (2, false), (0, true)], batches);
    }

    [Fact]
    public async Task A_key_of_another_type_and_absurd_options_are_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await client.Database.StringSetAsync("no-stream", "x");
        await Assert.ThrowsAsync<StackExchange.Redis.RedisServerException>(async () =>
        {
            await foreach (var _ in new StreamTail(client.Deployment, "no-stream").ReadAsync())
            {
            }
        });
        Assert.Throws<ArgumentOutOfRangeException>(() => new StreamTail(client.Deployment, "x", new StreamTailOptions { BatchSize = 0 }));
        Assert.Throws<ArgumentException>(() => new StreamTail(client.Deployment, " "));
    }
}
