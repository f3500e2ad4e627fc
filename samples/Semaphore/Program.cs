// At most two at a time, whatever the number of processes. dotnet run --project samples/Semaphore [connection string]
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;

var connectionString = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
await using var redis = await RedisDeployment.ConnectAsync(connectionString);
await using var semaphores = new SemaphoreProvider(redis);
var supplier = semaphores.WithPermits(2);

int running = 0, most = 0;
await Task.WhenAll(Enumerable.Range(1, 6).Select(async caller =>
{
    // Permits are given in the order of arrival.
    await using var permit = await supplier.AcquireAsync("sample:supplier");
    var now = Interlocked.Increment(ref running);
    InterlockedMax(ref most, now);
    Console.WriteLine($"Caller {caller} has permit {permit.Permit}.");
    await Task.Delay(100, permit.LostToken);
    Interlocked.Decrement(ref running);
}));
Console.WriteLine($"At most {most} at a time.");

static void InterlockedMax(ref int target, int value)
{
    for (var seen = Volatile.Read(ref target); seen < value; seen = Volatile.Read(ref target))
    {
        Interlocked.CompareExchange(ref target, value, seen);
    }
}
