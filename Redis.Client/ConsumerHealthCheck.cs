using System.Globalization;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace AspireRedis.Client;

/// <summary>
/// Whether the consumer groups of this service keep up. It reports Degraded and never Unhealthy: a restart would not reduce
/// a backlog, and a service that is behind still answers requests.
/// </summary>
internal sealed class ConsumerHealthCheck(
    StreamGroups groups, IEnumerable<ConsumerGroupRegistration> registrations, IOptions<ConsumerHealthOptions> options,
    TimeProvider clock, RegionMonitor? region = null) : IHealthCheck
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (region?.Current is { } state && state.IsStandby())
        {
            return HealthCheckResult.Healthy($"A standby consumes nothing; {state.ActiveRegion} is active.");
        }
        var data = new Dictionary<string, object>();
        List<string> problems = [];
        foreach (var registration in registrations)
        {
            var (stream, group) = registration;
            using var timeout = new CancellationTokenSource(s_timeout, clock);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            try
            {
                var status = await groups.DescribeAsync(registration.Streams, group, bound.Token);
                data[group] = status is null
                    ? "no such group yet"
                    : string.Create(CultureInfo.InvariantCulture,
                        $"lag {status.Lag?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}, pending {status.Pending}, "
                        + $"oldest pending {Seconds(status.OldestPendingAge)}, dead letters of the stream {status.DeadLetters}");
                problems.AddRange(ProblemsOf(stream, group, status));
            }
            catch (Exception e) when (e.IsOfRedis() || e is RegionNotActiveException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // The check `redis` says more.
                problems.Add($"The state of group {group} of {stream} is not available.");
            }
        }
        return problems.Count == 0
            ? HealthCheckResult.Healthy(data: data)
            : HealthCheckResult.Degraded(string.Join(' ', problems), data: data);
    }

    private IEnumerable<string> ProblemsOf(string stream, string group, StreamGroupStatus? status)
    {
        if (status?.Lag > options.Value.MaxLag)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"Group {group} of {stream} is {status.Lag} entries behind.");
        }
        if (status?.OldestPendingAge > options.Value.MaxPendingAge)
        {
            yield return $"Group {group} of {stream} has had an unhandled entry for {Seconds(status.OldestPendingAge)}.";
        }
        if (status?.DeadLetters > options.Value.MaxDeadLetters)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{stream} has {status.DeadLetters} dead letters.");
        }
    }

    private static string Seconds(TimeSpan? age) => age is { } known
        ? string.Create(CultureInfo.InvariantCulture, $"{known.TotalSeconds:0} s") : "none";
}
