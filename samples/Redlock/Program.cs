// A lease on several independent servers: whoever a majority has granted it holds it, and a minority may be dead.
// dotnet run --project samples/Redlock host1:6379,host2:6379,host3:6379
// The nodes are servers without replicas. One alone is allowed, for a first look, and survives nothing.
using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;

var nodes = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
// A node that has just started stays out for so long: it may have forgotten what it granted.
var options = new RedlockOptions { MaxTtl = TimeSpan.FromSeconds(2) };
options.Nodes.Add(nodes);
await using var redlock = new RedlockProvider(options);

try
{
    await using var lease = await redlock.AcquireAsync("sample:nightly-report", new LeaseOptions { Ttl = options.MaxTtl });
    Console.WriteLine($"Acquired {lease.Resource}, fencing token {lease.FencingToken}.");
    return 0;
}
catch (NoQuorumException e)
{
    Console.WriteLine(e.Message);
    return 1;
}
