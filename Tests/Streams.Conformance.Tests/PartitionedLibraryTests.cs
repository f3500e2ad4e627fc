using AspireRedis.Streams.Conformance.Cases;
using AspireRedis.Streams.Conformance.Libraries;
using AspireRedis.Testing;

namespace AspireRedis.Streams.Conformance;

/// <summary>
/// Our own library with four partitions passes the cases too, each on one of them; two differ, since a partition is shared by nobody.
/// </summary>
public sealed class PartitionedLibraryTests(RedisFixture redis)
    : OrderCases(new CoordinationLibrary(Partitions), redis.ConnectionString, Eventually.DefaultBound), IClassFixture<RedisFixture>
{
    private const int Partitions = 4;

    /// <summary>Each has partitions of its own.</summary>
    public override async Task Instances_of_a_group_share_the_work()
    {
        var settings = Settings();
        await using var connection = await ConnectAsync(settings);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var one = Start(settings with { Consumer = "one" }, (_, stop) => all.Task.WaitAsync(stop));
        await using var two = Start(settings with { Consumer = "two" }, (_, stop) => all.Task.WaitAsync(stop));
        await using var three = Start(settings with { Consumer = "three" }, (_, stop) => all.Task.WaitAsync(stop));
        foreach (var partition in CoordinationLibrary.TopicOf(nameof(Instances_of_a_group_share_the_work), Partitions).AllPartitions)
        {
            await AppendAsync(connection.GetDatabase(), partition.Key, 250 * partition.PartitionNumber!.Value, 250);
        }
        await EventuallyAsync(() => Array.TrueForAll([one, two, three], c => c.Begun.Count > 0), "each instance has work");

        all.SetResult();

        await HandledAsync(Enumerable.Range(0, 1000), "everything is handled", one, two, three);
        await NothingPendingAsync(connection.GetDatabase(), settings);
    }

    /// <summary>Who has not the partition has no entries either, however busy it seems.</summary>
    public override async Task Entries_behind_a_busy_head_are_claimed()
    {
        var settings = Settings() with { Idle = TimeSpan.FromHours(1) };
        await using var connection = await ConnectAsync(settings);
        var database = connection.GetDatabase();
        await AppendAsync(database, settings.Stream, 0, 2800);
        await ReadWithoutAcknowledgingAsync(database, settings, "busy", 2500);
        await ReadWithoutAcknowledgingAsync(database, settings, "dead", 300);

        await using var successor = Start(settings);

        await HandledAsync(Enumerable.Range(0, 2800), "everything that was pending is handled", successor);
        Assert.Equal(Enumerable.Range(0, 2800), Numbers(successor).Order());
    }
}
