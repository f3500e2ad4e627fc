using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.Holding;

namespace AspireRedis.Puppet.StreamWorkers;

/// <summary>Adds each number to the list of its key, once in effect: what the lists have is the order of the effects.</summary>
public sealed class RecordingHandler(Inbox inbox) : IStreamHandler<Numbered>
{
    private static readonly RedisScript s_push = RedisScript.Load<RecordingHandler>("push-once");

    private int _announced;

    /// <summary>The list of a key, the last digit of its numbers, in the partition of the key.</summary>
    public static string ListOf(StreamTopic<Numbered> topic, int digit)
    {
        var key = digit.ToString(CultureInfo.InvariantCulture);
        return $"{topic.Partition(key).Key}:effects:{key}";
    }

    public async Task<HandlerResult> HandleAsync(StreamMessage<Numbered> message, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _announced, 1) == 0)
        {
            Console.WriteLine($"holding {message.Value.Number}");
        }
        // So that several are under way when the process is killed.
        await Task.Delay(1, cancellationToken);
        var list = $"{message.Topic.Key}:effects:{message.Value.Number % 10}";
        await inbox.CommitAsync(message, s_push, [list], [message.Value.Number], [], cancellationToken: cancellationToken);
        return HandlerResult.Acknowledged;
    }
}
