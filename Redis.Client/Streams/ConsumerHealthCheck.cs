using System.Globalization;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Streams;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace AspireRedis.Client.Streams;

/// <summary>
/// Whether the consumer groups of this service keep up. It degrades and never fails: a restart would not make a backlog
/// smaller, and a service that is behind still answers requests.
/// </summary>
internal sealed class ConsumerHealthCheck(
    StreamGroups groups, IEnumerable<ConsumerGroupRegistration> registrations, IOptions<ConsumerHealthOptions> options, TimeProvider clock) : IHealthCheck
{
    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object>();
        List<string> complaints = [];
        foreach (var (stream, group) in registrations)
        {
            using var timeout = new CancellationTokenSource(s_timeout, clock);
            using var bound = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            try
            {
                var status = await groups.DescribeAsync(stream, group, bound.Token);
                data[group] = status is null
                    ? "no such group yet"
                    : string.Create(CultureInfo.InvariantCulture,
                        $"lag {status.Lag?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}, pending {status.Pending}, oldest pending {Seconds(status.OldestPendingAge)}, dead letters of the stream {status.DeadLetters}");
                complaints.AddRange(Complaints(stream, group, status));
            }
            catch (Exception e) when (e.IsOfRedis() || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // The check of Redis says more.
                complaints.Add($"Group {group} of {stream} cannot be asked for.");
            }
        }
        return complaints.Count == 0
            ? HealthCheckResult.Healthy(data: data)
            : HealthCheckResult.Degraded(string.Join(' ', complaints), data: data);
    }

    private IEnumerable<string> Complaints(string stream, string group, StreamGroupStatus? status)
    {
        if (status?.Lag > options.Value.MaxLag)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"Group {group} of {stream} is {status.Lag} entries behind.");
        }
        if (status?.OldestPendingAge > options.Value.MaxPendingAge)
        {
            yield return $"Group {group} of {stream} has an entry that is unhandled for {Seconds(status.OldestPendingAge)}.";
        }
        if (status?.DeadLetters > options.Value.MaxDeadLetters)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"{stream} has {status.DeadLetters} dead letters.");
        }
    }

    private static string Seconds(TimeSpan? age) => age is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known.TotalSeconds:0} s") : "none";
}
