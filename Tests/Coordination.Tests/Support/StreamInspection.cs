using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.Holding;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Support;

/// <summary>What tests do to streams and ask of them behind the library's back.</summary>
internal static class StreamInspection
{
    public static async Task AppendNumbersAsync(this TestClient client, string key, int first, int count)
    {
        var topic = Numbered.Topic(key);
        await Task.WhenAll(Enumerable.Range(first, count).Select(n => client.Producer.AppendAsync(topic, new Numbered(n))));
    }

    /// <summary>Has a consumer that never acknowledges anything read <paramref name="count"/> entries.</summary>
    public static async Task ReadWithoutAcknowledgingAsync(this IDatabase database, string key, string group, string consumer, int count)
    {
        try
        {
            await database.StreamCreateConsumerGroupAsync(key, group, "0");
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // It exists.
        }
        Assert.Equal(count, (await database.StreamReadGroupAsync(key, group, consumer, ">", count)).Length);
    }

    public static async Task<long> PendingAsync(this IDatabase database, string key, string group)
        => (await database.StreamPendingAsync(key, group)).PendingMessageCount;

    public static async Task<long> PendingOfAsync(this IDatabase database, string key, string group, string consumer)
        => (await database.StreamPendingAsync(key, group)).Consumers?.Where(c => c.Name == consumer).Sum(c => c.PendingMessageCount) ?? 0;

    public static int[] Numbers(this IEnumerable<StreamMessage<Numbered>> messages) => [.. messages.Select(m => m.Value.Number).Order()];

    public static Dictionary<string, string> Fields(this StreamEntry entry)
        => entry.Values.ToDictionary(v => (string)v.Name!, v => (string)v.Value!);
}
