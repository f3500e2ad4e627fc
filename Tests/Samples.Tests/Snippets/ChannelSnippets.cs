using System.Text.Json.Serialization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.PubSub;
using AspireRedis.Coordination.Streams;
using StackExchange.Redis;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The channels of docs/glue.md.</summary>
internal static partial class ChannelSnippets
{
    public static async Task UseAsync(
        ChannelPublisher publisher, ChannelSubscriber subscriber, RedisDeployment redis, RedisScript script, RedisKey[] keys,
        PriceBoard board, CancellationToken cancellationToken)
    {
        #region channel-use
        await using var subscription = await subscriber.SubscribeAsync(Prices.Changed, board, cancellationToken: cancellationToken);
        await publisher.PublishAsync(Prices.Changed, new PriceChanged("chair"), cancellationToken);

        // In a script of yours, with the change that it tells of: redis.call('PUBLISH', ARGV[1], ARGV[2]).
        using var told = publisher.Prepare(Prices.Changed, new PriceChanged("chair"));
        await redis.EvaluateAsync(script, keys, [told.Channel, told.Message], cancellationToken);
        #endregion
    }

    public static async Task FollowAsync(RedisDeployment redis, CancellationToken cancellationToken)
    {
        #region tail
        var tail = new StreamTail(redis, "products:changes");
        await foreach (var batch in tail.ReadAsync(cancellationToken))
        {
            // batch.StartsAnew: what was read before does not count any more.
        }
        #endregion
    }

    #region channel
    internal sealed record PriceChanged(string Sku);

    internal static class Prices
    {
        public static ChannelTopic<PriceChanged> Changed { get; } = new("prices:changed", "price-changed", PriceJson.Default.PriceChanged);
    }

    internal sealed class PriceBoard : IChannelHandler<PriceChanged>
    {
        public Task HandleAsync(ChannelMessage<PriceChanged> message, CancellationToken cancellationToken)
            => LookAtAsync(message.Value.Sku);

        // Nobody knows what was missed: look at all.
        public Task HandleGapAsync(ChannelGap gap, CancellationToken cancellationToken) => LookAtAsync("*");

        private static Task LookAtAsync(string sku) => Task.CompletedTask;
    }
    #endregion

    [JsonSerializable(typeof(PriceChanged))]
    internal sealed partial class PriceJson : JsonSerializerContext;
}
