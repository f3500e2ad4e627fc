using System.Text.Json.Serialization;
using AspireRedis.Client;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Streams;

var builder = WebApplication.CreateBuilder(args);
builder.AddRedisCoordination();   // ConnectionStrings:redis, localhost:6379 for example
builder.Services.AddConsumerGroup<ItemTaken, Warehouse>(ItemTaken.Topic, (options, _) => options.Group = "warehouse");
builder.Services.AddHealthChecks();
var app = builder.Build();
app.MapHealthChecks("/health");
app.MapDeadLetters();

var takeItem = RedisScript.Load<ItemTaken>("take-item");   // take-item.lua

app.MapPost("/items/{item}/take", async (
    string item, ILeaseProvider leases, DurableWriter writer, StreamProducer producer, CancellationToken cancellationToken) =>
{
    // One at a time, in the order of arrival; renewed until it is disposed.
    await using var lease = await leases.AcquireAsync($"lock:{item}", cancellationToken: cancellationToken);

    // Refused by the store when the lease was handed on meanwhile. Memory: a single server without replicas can give no more.
    var left = (long)await writer.EvaluateAsync(
        takeItem, [$"item:{item}"], [lease.FencingToken], Durability.Memory, cancellationToken);
    if (left < 0)
    {
        return Results.Conflict();
    }

    // Each group of the stream handles it at least once.
    await producer.AppendAsync(ItemTaken.Topic, new ItemTaken(item, left), cancellationToken: cancellationToken);
    return Results.Ok(new { item, left, lease.FencingToken });
});
app.Run();

internal sealed record ItemTaken(string Item, long Left)
{
    public static StreamTopic<ItemTaken> Topic { get; } = new("items-taken", "item-taken", schemaVersion: 1, Contract.Default.ItemTaken);
}

[JsonSerializable(typeof(ItemTaken))]
internal sealed partial class Contract : JsonSerializerContext;

internal sealed class Warehouse(ILogger<Warehouse> logger) : IStreamHandler<ItemTaken>
{
    public Task<HandlerResult> HandleAsync(StreamMessage<ItemTaken> message, CancellationToken cancellationToken)
    {
        logger.LogInformation("{Item} was taken, {Left} left.", message.Value.Item, message.Value.Left);
        return Task.FromResult(HandlerResult.Handled);
    }
}
