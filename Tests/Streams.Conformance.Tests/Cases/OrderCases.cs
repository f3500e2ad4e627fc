using AspireRedis.Streams.Conformance.Libraries;

namespace AspireRedis.Streams.Conformance.Cases;

/// <summary>For libraries that offer order per key, within one instance.</summary>
public abstract class OrderCases(IConsumerLibrary library, string connectionString, TimeSpan bound)
    : ConformanceCases(library, connectionString, bound)
{
    [Fact]
    public async Task Events_of_one_key_are_handled_in_order_also_when_one_fails()
    {
        var settings = Settings() with { InOrder = true };
        await using var connection = await ConnectAsync(settings);
        await AppendAsync(connection.GetDatabase(), settings.Stream, 0, 200);
        var failures = 2;
        await using var consumer = Start(settings, async (delivery, stop) =>
        {
            // The later, the quicker: without order they would overtake.
            await Task.Delay((200 - delivery.Number) / 50, stop);
            if (delivery.Number == 60 && Interlocked.Decrement(ref failures) >= 0)
            {
                throw new InvalidOperationException("not yet");
            }
        });

        await HandledAsync(Enumerable.Range(0, 200), "all are handled", consumer);
        foreach (var parity in (int[])[0, 1])
        {
            var numbers = consumer.Handled.Select(d => d.Number).Where(n => n % 2 == parity).ToList();
            Assert.Equal(numbers.Order(), numbers);
        }
    }
}
