using System.Diagnostics;
using System.Net;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Switchover;

/// <summary>
/// Makes a replica the primary without losing a write, for maintenance: holds writes up at the primary
/// (<c>CLIENT PAUSE ... WRITE</c>), waits until every replica has the same replication offset, has a Sentinel promote one,
/// demotes the old primary and lets writes go on.
/// </summary>
/// <remarks>
/// A bare <c>SENTINEL FAILOVER</c> promotes a replica while the old primary goes on taking writes, for about ten seconds,
/// and what it took is lost when it is demoted. Redis' own <c>FAILOVER</c> loses nothing either, but goes behind the back of
/// the Sentinels: they take a primary that turned into a replica for a broken one and fail over once more. So it is a
/// Sentinel that promotes. Clients of this library are told by a key that the switchover is planned
/// (<c>redis:switchover</c>, for a few seconds): they let the old primary refuse what was held up there and send it to the new
/// one, so that nothing fails and nothing is in doubt. Other clients see their writes held up, then refused with READONLY.
/// When anything goes wrong before the promotion, writes go on at the old primary.
/// Safe for concurrent use; two switchovers at a time are refused by Sentinel.
/// </remarks>
public sealed class PlannedSwitchover
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_probe = TimeSpan.FromSeconds(1);

    private readonly ConfigurationOptions _options;
    private readonly string _service;
    private readonly ILogger _logger;

    /// <summary>Prepares a switchover; nothing is connected yet.</summary>
    /// <param name="options">The Sentinels, with a service name and credentials.</param>
    /// <param name="logger">Where each step is logged.</param>
    /// <exception cref="ArgumentException">There is no service name, so no Sentinel.</exception>
    public PlannedSwitchover(ConfigurationOptions options, ILogger<PlannedSwitchover> logger)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        if (string.IsNullOrEmpty(options.ServiceName))
        {
            throw new ArgumentException("A switchover needs Sentinels: the connection string has no serviceName.", nameof(options));
        }
        _options = options.Clone();
        _options.ServiceName = null;
        RedisConnectionDefaults.Apply(_options);
        _service = options.ServiceName;
        _logger = logger;
    }

    /// <summary>Makes a replica the primary.</summary>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellationToken">Gives up, as long as nothing was promoted.</param>
    /// <returns>Who is the primary now, and how long writes were held up.</returns>
    /// <exception cref="SwitchoverException">It did not take place, or the Sentinels did not agree in time.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before the promotion; everything is as it was before.</exception>
    public async Task<PlannedSwitchoverResult> RunAsync(PlannedSwitchoverOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= new PlannedSwitchoverOptions();
        options.Validate();
        using var activity = CoordinationDiagnostics.ActivitySource.StartActivity("redis switchover", ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        var began = Stopwatch.GetTimestamp();
        var links = new List<SentinelLink>();
        var probes = new List<NodeProbe>();
        try
        {
            var majority = await FindSentinelsAsync(links);
            var (from, sentinel) = await FindPrimaryAsync(links, majority);
            activity?.SetTag("redis.failover.from", EndPointCollection.ToString(from));
            var primary = await OpenAsync(from, probes, cancellationToken);
            var replicas = await FindReplicasAsync(primary, options, probes, cancellationToken);
            var (to, paused) = await SwitchAsync(sentinel, primary, replicas, options, activity, cancellationToken);
            await KeepRoleAsync(primary);
            activity?.SetTag("redis.failover.to", EndPointCollection.ToString(to.Node));
            await AgreeAsync(links, majority, to, options, began);
            var result = new PlannedSwitchoverResult(from, to.Node, paused, Stopwatch.GetElapsedTime(began));
            _logger.LogInformation("{To} is the primary after {From}; writes were held up for {Paused:0} ms.",
                EndPointCollection.ToString(result.To), EndPointCollection.ToString(result.From), result.Paused.TotalMilliseconds);
            return result;
        }
        catch (Exception e) when (e.IsOfRedis())
        {
            activity.Fail(e);
            throw new SwitchoverException($"A node did not do its part: {e.Message}", promoted: false, e);
        }
        catch (SwitchoverException e)
        {
            activity.Fail(e);
            throw;
        }
        finally
        {
            await Task.WhenAll(links.Select(l => l.DisposeAsync().AsTask()));
            await Task.WhenAll(probes.Select(p => p.DisposeAsync().AsTask()));
        }
    }

    /// <summary>Those that are configured and those that they name, and asks them; returns how many are a majority.</summary>
    private async Task<int> FindSentinelsAsync(List<SentinelLink> links)
    {
        var roster = new SentinelRoster();
        var left = _options.EndPoints.ToList();
        while (left.Count > 0)
        {
            var opened = await Task.WhenAll(left.Select(e => SentinelLink.OpenAsync(_options, e, _service, _options.Tunnel,
                static (_, _, _) => { })));
            links.AddRange(opened);
            await Task.WhenAll(opened.Select(l => l.AskAsync()));
            roster.Look([.. links.Where(l => l.View is not null).Select(l => (l.Node, l.View!))], TimeSpan.Zero);
            left = [.. roster.Silent.Except(links.Select(l => l.Node))];
        }
        return roster.Majority;
    }

    private static async Task<(EndPoint Primary, SentinelLink Sentinel)> FindPrimaryAsync(List<SentinelLink> links, int majority)
    {
        var answered = links.Where(l => l.View is not null).DistinctBy(l => l.View!.Id).ToArray();
        if (answered.Length < majority)
        {
            throw new SwitchoverException(answered.Length == 0 ? "No Sentinel answers."
                : $"Only {answered.Length} Sentinels answer and {majority} are a majority, which must agree on the result.");
        }
        var newest = answered.MaxBy(l => l.View!.Epoch)!;
        if (Array.Find(answered, l => !l.View!.Primary.Equals(newest.View!.Primary)) is { } other)
        {
            throw new SwitchoverException(
                $"The Sentinels do not agree: {Text(newest.Node)} says {Text(newest.View!.Primary)}, {Text(other.Node)} says {Text(other.View!.Primary)}. Try again in a moment.");
        }
        if (Array.Find(answered, l => l.View!.Flags != "master") is { } unsure)
        {
            throw new SwitchoverException(
                $"Sentinel {Text(unsure.Node)} sees the primary as {unsure.View!.Flags}: that is no time for a planned switchover.");
        }
        // One with an older configuration would not be believed; one in TILT would promote half a minute later.
        var able = Array.FindAll(answered, l => l.View!.Epoch == newest.View!.Epoch);
        var can = await Task.WhenAll(able.Select(l => l.CanFailOverAsync()));
        return Array.IndexOf(can, true) is >= 0 and var first
            ? (newest.View!.Primary, able[first])
            : throw new SwitchoverException("No Sentinel could start a failover: each is without a quorum or in TILT.");
    }

    private async Task<List<NodeProbe>> FindReplicasAsync(NodeProbe primary, PlannedSwitchoverOptions options, List<NodeProbe> probes,
        CancellationToken cancellationToken)
    {
        var role = await primary.Database.ExecuteAsync("ROLE");
        if ((string?)role[0] != "master")
        {
            throw new SwitchoverException($"{Text(primary.Node)} is not the primary any more.");
        }
        var replicas = new List<NodeProbe>();
        foreach (var replica in (RedisResult[])role[2]!)
        {
            if (NodeAddress.Parse((string?)replica[0], (string?)replica[1]) is { } node)
            {
                replicas.Add(await OpenAsync(node, probes, cancellationToken));
            }
        }
        if (replicas.Count == 0)
        {
            throw new SwitchoverException($"{Text(primary.Node)} has no replica.");
        }
        foreach (var replica in replicas)
        {
            var (isPrimary, isLinked, offset) = await replica.RoleAsync();
            var lag = (await primary.RoleAsync()).Offset - offset;
            if (isPrimary || !isLinked || lag > options.LargestLag)
            {
                throw new SwitchoverException(
                    $"Replica {Text(replica.Node)} is not ready: {(isLinked ? $"{lag} bytes behind" : "not in sync")}.");
            }
        }
        return replicas;
    }

    private async Task<(NodeProbe To, TimeSpan Paused)> SwitchAsync(
        SentinelLink sentinel, NodeProbe primary, List<NodeProbe> replicas, PlannedSwitchoverOptions options, Activity? activity,
        CancellationToken cancellationToken)
    {
        var longest = (long)options.LongestPause.TotalMilliseconds;
        // Before the pause, for it is a write itself; the new primary has it from the replication.
        await primary.Database.StringSetAsync(PrimaryFollower.SwitchoverKey, EndPointCollection.ToString(primary.Node),
            TimeSpan.FromMilliseconds((2 * longest) + 10_000));
        var paused = Stopwatch.GetTimestamp();
        NodeProbe? promoted = null;
        try
        {
            // It ends by itself should we die; so does the promise that this node loses nothing, which therefore must be
            // kept by then.
            await primary.Database.ExecuteAsync("CLIENT", "PAUSE", longest, "WRITE");
            activity?.AddEvent(new ActivityEvent("paused"));
            var offset = (await primary.RoleAsync()).Offset;
            foreach (var replica in replicas)
            {
                while ((await replica.RoleAsync()).Offset < offset)
                {
                    ThrowIfTooLate($"replica {Text(replica.Node)} did not catch up");
                    await Task.Delay(s_look, cancellationToken);
                }
            }
            activity?.AddEvent(new ActivityEvent("caught up"));
            ThrowIfTooLate("the replicas took too long");
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                await sentinel.FailOverAsync();
            }
            catch (RedisServerException e)
            {
                throw new SwitchoverException($"Sentinel {Text(sentinel.Node)} refuses: {e.Message}", promoted: false, e);
            }
            // From here on it may happen at any time; not to be cancelled any more.
            while ((promoted = await FindPromotedAsync(replicas)) is null)
            {
                // To the end of the pause, for the Sentinel cannot be called back.
                if (Stopwatch.GetElapsedTime(paused) > options.LongestPause * 0.9)
                {
                    throw new SwitchoverException(
                        $"Sentinel {Text(sentinel.Node)} promoted no replica within {options.LongestPause.TotalMilliseconds:0} ms; it may do so still.");
                }
                await Task.Delay(s_look, CancellationToken.None);
            }
            activity?.AddEvent(new ActivityEvent("promoted"));
            // Sentinel would do so ten seconds later. What is held up is refused as soon as it may go on.
            await DemoteAsync(primary, promoted);
            return (promoted, Stopwatch.GetElapsedTime(paused));
        }
        catch (Exception e) when (promoted is null)
        {
            _logger.LogWarning("The switchover from {Primary} is given up: {Reason}", Text(primary.Node), e.Message);
            throw;
        }
        finally
        {
            await ResumeAsync(primary, promoted ?? primary);
        }

        void ThrowIfTooLate(string what)
        {
            // Half of the pause is for what comes behind: promoted a moment before writes go on here would lose them.
            if (Stopwatch.GetElapsedTime(paused) > options.LongestPause / 2)
            {
                throw new SwitchoverException($"Given up after {Stopwatch.GetElapsedTime(paused).TotalMilliseconds:0} ms: {what}.");
            }
        }
    }

    private static async Task<NodeProbe?> FindPromotedAsync(List<NodeProbe> replicas)
    {
        foreach (var replica in replicas)
        {
            try
            {
                if (await replica.IsPrimaryAsync())
                {
                    return replica;
                }
            }
            catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final)
            {
                // The promotion closes the connections of all clients.
            }
        }
        return null;
    }

    private async Task DemoteAsync(NodeProbe former, NodeProbe promoted)
    {
        var (host, port) = promoted.Node switch
        {
            IPEndPoint ip => (ip.Address.ToString(), ip.Port),
            DnsEndPoint name => (name.Host, name.Port),
            _ => throw new SwitchoverException($"{promoted.Node} is no address.", promoted: true),
        };
        try
        {
            await former.Database.ExecuteAsync("REPLICAOF", host, port);
        }
        catch (Exception e) when (e.IsOfRedis())
        {
            // It may have died. Sentinel demotes it when it comes back.
            _logger.LogWarning("{Primary} could not be demoted; Sentinel will do so: {Reason}", Text(former.Node), e.Message);
        }
    }

    /// <summary>Or it comes back as a primary when it is started again before Sentinel looked. Not every server has a file.</summary>
    /// <remarks>Nobody waits for the disk: it is done when the writes go on, and the switchover has happened without it.</remarks>
    private async Task KeepRoleAsync(NodeProbe former)
    {
        try
        {
            await former.Database.ExecuteAsync("CONFIG", "REWRITE");
        }
        catch (RedisServerException e)
        {
            _logger.LogDebug(e, "{Primary} does not keep its role in a file.", Text(former.Node));
        }
        catch (Exception e) when (e.IsOfRedis())
        {
            _logger.LogWarning("It is not known whether {Primary} keeps its role in its file: {Reason}", Text(former.Node), e.Message);
        }
    }

    private async Task ResumeAsync(NodeProbe former, NodeProbe current)
    {
        try
        {
            await former.Database.ExecuteAsync("CLIENT", "UNPAUSE");
        }
        catch (Exception e) when (e.IsOfRedis())
        {
            _logger.LogWarning("{Primary} could not be told to go on; it does by itself when the pause is over: {Reason}",
                Text(former.Node), e.Message);
        }
        if (ReferenceEquals(former, current))
        {
            try
            {
                await current.Database.KeyDeleteAsync(PrimaryFollower.SwitchoverKey);
            }
            catch (Exception e) when (e.IsOfRedis())
            {
                _logger.LogDebug(e, "The mark of the switchover ends with its TTL.");
            }
        }
    }

    /// <summary>Until every Sentinel that answers names the new primary and has ended the failover.</summary>
    private static async Task AgreeAsync(List<SentinelLink> links, int majority, NodeProbe promoted, PlannedSwitchoverOptions options,
        long began)
    {
        while (true)
        {
            var views = (await Task.WhenAll(links.Select(l => l.AskAsync()))).OfType<SentinelView>().ToList();
            if (views.DistinctBy(v => v.Id).Count() >= majority
                && views.TrueForAll(v => v.Primary.Equals(promoted.Node) && v.Flags == "master"))
            {
                return;
            }
            if (Stopwatch.GetElapsedTime(began) > options.LongestPause + options.AgreementTimeout)
            {
                throw new SwitchoverException(
                    $"{Text(promoted.Node)} was promoted, but after {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s not all Sentinels say so.", promoted: true);
            }
            await Task.Delay(10 * s_look);
        }
    }

    private async Task<NodeProbe> OpenAsync(EndPoint node, List<NodeProbe> probes, CancellationToken cancellationToken)
    {
        var probe = await NodeProbe.OpenAsync(_options, node, _options.Tunnel, s_probe, cancellationToken);
        probes.Add(probe);
        return probe;
    }

    private static string Text(EndPoint node) => EndPointCollection.ToString(node);
}
