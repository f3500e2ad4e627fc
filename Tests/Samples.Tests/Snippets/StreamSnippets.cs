using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of docs/streams.md.</summary>
internal static partial class StreamSnippets
{
    public static async Task AppendAsync(StreamProducer producer, OrderPlaced value, OrderPlaced[] values)
    {
        #region append
        // One, a batch (all or none), or inside a script of yours together with the state change.
        await producer.AppendAsync(Topics.OrderPlaced, value);
        await producer.AppendAsync(Topics.OrderPlaced, values);
        using var append = producer.PrepareAppend(Topics.OrderPlaced, value);   // append.Fields go to your script
        #endregion
    }

    public static void Consume(IServiceCollection services)
    {
        #region consume
        services.AddConsumerGroup<OrderPlaced, PaymentHandler>(Topics.OrderPlaced, (options, provider) =>
        {
            options.Group = "payments";
            options.OrderBy = order => order.UserId;   // optional
        });
        #endregion
    }

    internal sealed record OrderPlaced(string OrderId, string UserId);

    internal static class Topics
    {
        #region topic
        // Typed events; every property is a field that redis-cli shows. The JSON contract is source-generated.
        public static StreamTopic<OrderPlaced> OrderPlaced { get; } = new("events:order-placed", "order-placed", schemaVersion: 1, EventJson.Default.OrderPlaced);
        #endregion
    }

    [JsonSerializable(typeof(OrderPlaced))]
    internal sealed partial class EventJson : JsonSerializerContext;

    internal sealed class PaymentHandler(Inbox inbox, StreamProducer producer, RedisScript script, RedisKey[] keys, RedisValue[] arguments)
        : IStreamHandler<OrderPlaced>
    {
        public async Task<HandlerResult> HandleAsync(StreamMessage<OrderPlaced> message, CancellationToken cancellationToken)
        {
            using var append = producer.PrepareAppend(Topics.OrderPlaced, message.Value);
            #region inbox
            // An effect that happens once: state, following events, inbox record and acknowledgement in one script.
            await inbox.CommitAsync(message, script, keys, arguments, [append], Durability.Replica, cancellationToken);
            return HandlerResult.Acknowledged;
            #endregion
        }
    }
}
