using System.Globalization;
using System.Threading.RateLimiting;
using AspireRedis.Coordination.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace AspireRedis.Client.RateLimiting;

/// <summary>
/// What the caller of an HTTP API is told of a limit: the header fields <c>RateLimit-Policy</c> and <c>RateLimit</c>, and the problem of a
/// request that was rejected (draft-ietf-httpapi-ratelimit-headers-11).
/// </summary>
public static class RateLimitResponseExtensions
{
    /// <summary>The <c>type</c> of the problem of a request beyond the limit, 429.</summary>
    public const string QuotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded";

    /// <summary>The <c>type</c> of the problem of a request that is refused because Redis is away, 503.</summary>
    public const string TemporaryReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

    /// <summary>
    /// Adds the header fields of a lease, beside those of other limits. Nothing is added for a lease of another library's limiter.
    /// </summary>
    /// <remarks>
    /// The effective window <c>t</c> is never so short that a client which divides <c>r</c> by it goes faster than the limit, and never
    /// longer than <c>Retry-After</c>.
    /// </remarks>
    /// <param name="response">The response; its header must not have been sent yet.</param>
    /// <param name="lease">The lease, acquired or not.</param>
    public static void AddRateLimit(this HttpResponse response, RateLimitLease lease)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentNullException.ThrowIfNull(lease);
        if (!lease.TryGetMetadata(RateLimitMetadata.Status, out var status) || response.HasStarted)
        {
            return;
        }
        var (policy, limit, remaining) = ($"\"{status!.Policy}\"", status.Limit, status.Remaining);
        if (status.Window is not { } window)
        {
            Append("RateLimit-Policy", $"{policy};q={limit};qu=\"concurrent-requests\"");
            Append("RateLimit", $"{policy};r={remaining}");
            return;
        }
        Append("RateLimit-Policy", $"{policy};q={limit};w={Seconds(window)}");
        var effective = RetryAfter(lease) ?? Seconds(TimeSpan.FromSeconds(
            Math.Max(status.Reset?.TotalSeconds ?? 0, window.TotalSeconds * remaining / limit)));
        Append("RateLimit", $"{policy};r={remaining};t={effective}");

        void Append(string field, FormattableString value) => response.Headers.Append(field, value.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// The answer to a request that was rejected: 429, or 503 when nobody could decide since Redis is away. Its execution adds
    /// <c>Retry-After</c> where the time is known. Use it in <c>RateLimiterOptions.OnRejected</c> or an endpoint filter.
    /// </summary>
    /// <param name="lease">The lease that was not acquired.</param>
    public static IResult RateLimitProblem(this RateLimitLease lease)
    {
        ArgumentNullException.ThrowIfNull(lease);
        lease.TryGetMetadata(RateLimitMetadata.Status, out var status);
        var extensions = status is null ? null : new Dictionary<string, object?> { ["violated-policies"] = new[] { status.Policy } };
        var problem = status?.Source == RateLimitSource.Unavailable
            ? TypedResults.Problem("Whether the request is within its limit cannot be told at the moment. Try again.",
                statusCode: StatusCodes.Status503ServiceUnavailable, type: TemporaryReducedCapacity,
                title: "Request cannot be satisfied due to temporary server capacity constraints", extensions: extensions)
            : TypedResults.Problem("Too many requests. Retry-After says when to come back.",
                statusCode: StatusCodes.Status429TooManyRequests, type: QuotaExceeded,
                title: "Request cannot be satisfied as assigned quota has been exceeded", extensions: extensions);
        return new Rejection(problem, RetryAfter(lease));
    }

    /// <summary>
    /// The same limiter, which adds the header fields to the responses of the requests that it decides on, permitted or not: for
    /// <c>RateLimiterOptions.GlobalLimiter</c>. The middleware shows others only leases that were not acquired.
    /// </summary>
    /// <param name="limiter">The limiter.</param>
    public static PartitionedRateLimiter<HttpContext> WithResponseFields(this PartitionedRateLimiter<HttpContext> limiter)
    {
        ArgumentNullException.ThrowIfNull(limiter);
        return new AnnouncingLimiter(limiter);
    }

    private static long? RetryAfter(RateLimitLease lease)
        => lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? Seconds(after) : null;

    /// <summary>Whole, at least one, and never too few.</summary>
    private static long Seconds(TimeSpan time) => Math.Max(1, (long)Math.Ceiling(time.TotalSeconds));

    private sealed class Rejection(ProblemHttpResult problem, long? retryAfter) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            if (retryAfter is { } seconds)
            {
                httpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            }
            return problem.ExecuteAsync(httpContext);
        }
    }

    private sealed class AnnouncingLimiter(PartitionedRateLimiter<HttpContext> inner) : PartitionedRateLimiter<HttpContext>
    {
        public override RateLimiterStatistics? GetStatistics(HttpContext resource) => inner.GetStatistics(resource);

        protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount)
            => Announced(resource, inner.AttemptAcquire(resource, permitCount));

        protected override async ValueTask<RateLimitLease> AcquireAsyncCore(
            HttpContext resource, int permitCount, CancellationToken cancellationToken)
            => Announced(resource, await inner.AcquireAsync(resource, permitCount, cancellationToken));

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }
            base.Dispose(disposing);
        }

        protected override async ValueTask DisposeAsyncCore()
        {
            await inner.DisposeAsync();
            await base.DisposeAsyncCore();
        }

        private static RateLimitLease Announced(HttpContext context, RateLimitLease lease)
        {
            context.Response.AddRateLimit(lease);
            return lease;
        }
    }
}
