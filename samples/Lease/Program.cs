// A lease: whoever has it works alone. dotnet run --project samples/Lease [connection string]
using AspireRedis.Coordination;
using AspireRedis.Coordination.Locking;

var connectionString = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
await using var redis = await RedisDeployment.ConnectAsync(connectionString);
await using var leases = new RedisLeaseProvider(redis);

long first;
await using (var lease = await leases.AcquireAsync("sample:report"))
{
    first = lease.FencingToken;
    Console.WriteLine($"Acquired {lease.Resource}, fencing token {first}.");

    // It is renewed in the background; should that fail, lease.LostToken is cancelled before somebody else gets it.
    await Task.Delay(TimeSpan.FromMilliseconds(100), lease.LostToken);

    var second = await leases.TryAcquireAsync("sample:report", new LeaseOptions { WaitTimeout = TimeSpan.Zero });
    Console.WriteLine(second is null ? "Nobody else acquires it meanwhile." : "Somebody else acquired it as well!");
}

// Given back at the end of the block. Whoever waited is served in the order of arrival.
await using var next = await leases.AcquireAsync("sample:report");
Console.WriteLine($"Acquired it again, fencing token {next.FencingToken}: {(next.FencingToken > first ? "higher" : "NOT higher")}.");
