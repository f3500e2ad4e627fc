// A write that counts when the replicas have it. dotnet run --project samples/DurableWrite [connection string]
// A single server without replicas can give Durability.Memory only: Replica is answered there with NotDurableException.
using AspireRedis.Coordination;
using Microsoft.Extensions.Options;

var connectionString = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
await using var redis = await RedisDeployment.ConnectAsync(connectionString);
await using var writer = new DurableWriter(redis, Options.Create(new DurableWriterOptions()));
var placeOrder = RedisScript.Load<Program>("save-order", repeatable: true);

foreach (var durability in new[] { Durability.Replica, Durability.Memory })
{
    try
    {
        await writer.EvaluateAsync(placeOrder, ["sample:order:1"], ["placed"], durability, CancellationToken.None);
        Console.WriteLine($"{durability}: written and acknowledged.");
    }
    catch (NotDurableException e)
    {
        Console.WriteLine($"{durability}: written, but not acknowledged. {e.Message}");
    }
}
await redis.Database.KeyDeleteAsync("sample:order:1");
