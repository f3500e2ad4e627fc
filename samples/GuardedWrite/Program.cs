// A lease does not stop a process that was paused before its write; the store does, by the fencing token.
// dotnet run --project samples/GuardedWrite [connection string]
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;

var connectionString = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
await using var redis = await RedisDeployment.ConnectAsync(connectionString);
await using var leases = new RedisLeaseProvider(redis);

// set-stock.lua is an embedded resource: <EmbeddedResource Include="**/*.lua" /> in the project.
var setStock = RedisScript.Load<Program>("set-stock");

// As if this process were paused for longer than its lease lasts.
await using var late = await leases.AcquireAsync("sample:lock:chair", new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(500), AutoRenew = false });
await Task.Delay(Timeout.Infinite, late.LostToken).ContinueWith(_ => Console.WriteLine("The first lease is lost."), TaskScheduler.Default);

await using var lease = await leases.AcquireAsync("sample:lock:chair");
Console.WriteLine($"The holder writes 5: {await WriteAsync(lease, 5)}.");
Console.WriteLine($"The late one writes 9: {await WriteAsync(late, 9)}.");
Console.WriteLine($"In stock: {await redis.Database.HashGetAsync("sample:item:chair", "stock")}.");
await redis.Database.KeyDeleteAsync("sample:item:chair");

async Task<string> WriteAsync(ILease holder, int stock)
    => (bool)await redis.EvaluateAsync(setStock, ["sample:item:chair"], [holder.FencingToken, stock]) ? "accepted" : "refused";
