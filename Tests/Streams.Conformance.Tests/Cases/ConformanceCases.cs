using System.Runtime.CompilerServices;
using AspireRedis.Streams.Conformance.Libraries;
using AspireRedis.Streams.Conformance.Support;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Cases;

/// <summary>
/// What every at-least-once consumer of Redis streams should do. A library is put through it by a class that derives
/// from this one and passes an <see cref="IConsumerLibrary"/>. Each case is a flaw that a known library has or had.
/// </summary>
/// <param name="library">The library.</param>
/// <param name="connectionString">A server that the cases share.</param>
/// <param name="bound">How long a condition may take.</param>
public abstract partial class ConformanceCases(IConsumerLibrary library, string connectionString, TimeSpan bound)
{
    private const string Group = "g";

    /// <summary>Longer than any case runs: what happens all the same is not because something was idle for long.</summary>
    private static readonly TimeSpan s_never = TimeSpan.FromHours(1);

    /// <summary>The settings of an instance for one case, on a stream of its own.</summary>
    protected InstanceSettings Settings([CallerMemberName] string name = "")
        => new(connectionString, library.StreamOf(name), Group, "one");

    private protected Consumer Start(InstanceSettings settings, Func<Delivery, CancellationToken, Task>? handler = null)
        => new(library, settings, handler);

    private protected static async Task<ConnectionMultiplexer> ConnectAsync(InstanceSettings settings)
    {
        var options = ConfigurationOptions.Parse(settings.ConnectionString);
        options.AbortOnConnectFail = false;
        options.ReconnectRetryPolicy = new LinearRetry(200);
        options.AllowAdmin = true;
        return await ConnectionMultiplexer.ConnectAsync(options);
    }

    private protected Task<RedisValue[]> AppendAsync(IDatabase database, string stream, int first, int count)
        => Task.WhenAll(Enumerable.Range(first, count).Select(n => database.StreamAddAsync(stream, library.Encode(n))));

    /// <summary>A consumer that reads and is never heard of again.</summary>
    private protected static async Task ReadWithoutAcknowledgingAsync(
        IDatabase database, InstanceSettings settings, string consumer, int count)
    {
        try
        {
            await database.StreamCreateConsumerGroupAsync(settings.Stream, settings.Group, "0");
        }
        catch (RedisServerException e) when (e.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // It exists.
        }
        Assert.Equal(count, (await database.StreamReadGroupAsync(settings.Stream, settings.Group, consumer, ">", count)).Length);
    }

    private protected Task EventuallyAsync(Func<bool> condition, string what) => Eventually.TrueAsync(condition, what, bound);

    private protected Task EventuallyAsync(Func<Task<bool>> condition, string what) => Eventually.TrueAsync(condition, what, bound);

    private protected Task HandledAsync(IEnumerable<int> numbers, string what, params Consumer[] consumers)
    {
        var expected = numbers.ToHashSet();
        return EventuallyAsync(() => expected.IsSubsetOf(Numbers(consumers)), what);
    }

    private protected Task NothingPendingAsync(IDatabase database, InstanceSettings settings)
        => EventuallyAsync(
            async () => (await database.StreamGroupInfoAsync(settings.Stream))
            .Single(g => g.Name == settings.Group) is { PendingMessageCount: 0, Lag: 0 },
            "all is acknowledged");

    private protected static IEnumerable<int> Numbers(params IEnumerable<Consumer> consumers)
        => consumers.SelectMany(c => c.Handled).Select(d => d.Number);
}
