using AspireRedis.Client;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;
using Microsoft.AspNetCore.Builder;
using static AspireRedis.Samples.Tests.Snippets.StreamSnippets;

namespace AspireRedis.Samples.Tests.Snippets;

/// <summary>The code of the package's read-me files that is not in a sample.</summary>
internal static class ClientSnippets
{
    public static void Consumers(WebApplicationBuilder builder)
    {
        #region configured-consumers
        builder.Services.AddConsumerGroup<OrderPlaced, PaymentHandler>(Topics.OrderPlaced, (options, provider) =>
        {
            options.Group = "payments";
            options.BindConsumer(provider);   // Consumer:MaxConcurrency, Consumer:payments:MaxDeliveries, Consumer:Name, ...
        });
        // Streams:KeepFor
        builder.Services.AddStreamRetention(Topics.OrderPlaced.Key, (options, provider) => options.BindRetention(provider));
        #endregion
    }

    public static void DeadLetters(WebApplication app)
    {
        #region dead-letters
        app.MapDeadLetters().RequireAuthorization("operators");
        #endregion
    }

    public static async Task WithoutContainerAsync(string connectionString)
    {
        #region without-container
        await using var redis = await RedisDeployment.ConnectAsync(connectionString);
        await using var leases = new RedisLeaseProvider(redis);
        await using var semaphores = new SemaphoreProvider(redis);
        var producer = new StreamProducer(redis, TimeProvider.System);
        #endregion
        _ = producer;
    }
}
