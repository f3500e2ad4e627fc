// Five at once and one more each second, for each customer, whatever the number of processes.
// dotnet run --project samples/RateLimit [connection string]
using System.Threading.RateLimiting;
using AspireRedis.Coordination;
using AspireRedis.Coordination.RateLimiting;

var connectionString = args.FirstOrDefault() ?? Environment.GetEnvironmentVariable("ConnectionStrings__redis") ?? "localhost:6379";
await using var redis = await RedisDeployment.ConnectAsync(connectionString);
await using var limiters = new RedisRateLimiters(redis);
await using var limiter = limiters.CreatePartitioned<string>(
    new TokenBucketLimit { Policy = "sample", TokenLimit = 5, TokensPerPeriod = 1, DecisionTimeout = TimeSpan.FromSeconds(5) },
    customer => customer);

var customer = $"anna-{Guid.NewGuid():N}";
for (var request = 1; request <= 6; request++)
{
    using var lease = await limiter.AcquireAsync(customer);
    lease.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter);
    Console.WriteLine(lease.IsAcquired ? $"Request {request} is permitted." : $"Request {request} is refused for {retryAfter.TotalSeconds:0.0} s.");
    if (!lease.IsAcquired)
    {
        await Task.Delay(retryAfter + TimeSpan.FromMilliseconds(20));
        using var again = await limiter.AcquireAsync(customer);
        Console.WriteLine(again.IsAcquired ? "Then it is permitted." : "Then it is refused.");
    }
}
