using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Locking.Redlock;
using AspireRedis.Coordination.Regions.Permission;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Witnesses;

/// <summary>
/// The independent servers that decide which region may write. A majority of them grants the lease <c>active-region</c> (Redlock) and
/// keeps the last region and epoch that were active, which outlives the lease: a region that was replaced must not take the lease
/// merely because it is free. Safe for concurrent use.
/// </summary>
/// <remarks>
/// The lease belongs to a region and not to a process: its owner is the region's name, so that whoever does the work of a region next
/// goes on with it under the same epoch. Two of them at once harm nothing, for both grant the same permission; and once it has passed
/// to the other region neither can renew it.
/// </remarks>
internal sealed class RegionWitnesses : IAsyncDisposable
{
    private const string Lease = "active-region";
    private const int MaxProposals = 3;

    private static readonly RedisKey s_last = new LeaseKeys(Lease).Companion("last");
    private static readonly string s_raise = RedisScript.Read(typeof(RegionWitnesses), "raise-last");
    private static readonly string s_handOver = RedisScript.Read(typeof(RegionWitnesses), "hand-over");

    // What a witness gets beyond the answers of a majority.
    private static readonly TimeSpan s_slow = TimeSpan.FromMilliseconds(50);

    private readonly RedlockProvider _provider;
    private readonly RedlockTokens _tokens;
    private readonly RegionOptions _options;
    private readonly TimeProvider _clock;

    public RegionWitnesses(RegionOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        _provider = new RedlockProvider(options.WitnessOptions(), clock, NullLogger<RedlockProvider>.Instance);
        _tokens = new RedlockTokens(clock);
    }

    private RedlockNodeSet Nodes => _provider.NodeSet;

    private int Majority => (Nodes.Nodes.Count / 2) + 1;

    /// <summary>How many witnesses can be counted on now.</summary>
    public int Ready => Nodes.Nodes.Count(n => n.IsReady && n.Connection?.IsConnected == true);

    public int Count => Nodes.Nodes.Count;

    /// <summary>Takes a lease of this process, such as to work for a region; null when somebody else has it.</summary>
    public Task<ILease?> TryWorkAsync(string name, TimeSpan ttl, TimeSpan wait, CancellationToken cancellationToken)
        => _provider.TryAcquireAsync(name, new LeaseOptions { Ttl = ttl, WaitTimeout = wait }, cancellationToken);

    /// <summary>Takes the lease for a region under a new epoch; null when another region has it.</summary>
    /// <param name="region">The region.</param>
    /// <param name="above">Its epoch is to be higher.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="NoQuorumException">There is no majority.</exception>
    public async Task<RegionLease?> AcquireAsync(string region, long above, CancellationToken cancellationToken)
    {
        await Nodes.FirstContactAsync(cancellationToken);
        for (var proposal = 1; ; proposal++)
        {
            var token = _tokens.Next(above);
            var (lease, _, outcome) = await AskAsync(region, token, cancellationToken);
            if (lease is not null)
            {
                return lease;
            }
            if (outcome.MayGrantHigherToken && proposal < MaxProposals)
            {
                above = Math.Max(above, outcome.HighestToken);
                continue;
            }
            // What some granted runs out: given back, it would end a lease that another agent of the region has meanwhile.
            return outcome.IsWithoutQuorum ? throw NoQuorum(outcome) : null;
        }
    }

    /// <summary>Goes on with the lease of a region, whoever has taken it; null when it is over or another region's.</summary>
    /// <exception cref="NoQuorumException">There is no majority.</exception>
    public async Task<RegionLease?> RenewAsync(string region, long epoch, CancellationToken cancellationToken)
    {
        await Nodes.FirstContactAsync(cancellationToken);
        var (lease, _, outcome) = await AskAsync(region, epoch, cancellationToken);
        return lease is null && outcome.IsWithoutQuorum ? throw NoQuorum(outcome) : lease;
    }

    /// <summary>
    /// Passes the lease, and the name of the active region, from one region to the other in one step of each witness; null when a
    /// majority did not: then <see cref="HandOverAsync"/> in the other direction puts right those that did.
    /// </summary>
    public async Task<RegionLease?> HandOverAsync(string from, string to, long above, CancellationToken cancellationToken)
    {
        var asked = _clock.GetTimestamp();
        var token = _tokens.Next(above);
        var keys = new LeaseKeys(Lease);
        var answers = await AskAllAsync(database => database.ScriptEvaluateAsync(s_handOver, [keys.Lease, keys.Fence, s_last],
            [Owner(from), Owner(to), (long)_options.LeaseTtl.TotalMilliseconds, token, new RegionPermit(to, token).ToString()]),
            cancellationToken);
        var until = LeaseValidity.Until(_clock, asked, _options.LeaseTtl);
        return answers.Count(a => (int)a == 1) >= Majority && until > _clock.GetTimestamp() ? new RegionLease(to, token, until) : null;
    }

    /// <summary>Gives the lease back, when nothing is left that was granted under it.</summary>
    public Task ReleaseAsync(RegionLease lease)
        => Nodes.ReleaseAsync(Nodes.Nodes, Lease, Owner(lease.Region), lease.Epoch, _options.LeaseTtl, publish: false);

    /// <summary>Which region was active last and which one holds the lease; null for none.</summary>
    /// <exception cref="RegionException">There is no majority.</exception>
    public async Task<(RegionPermit? Last, string? Holder)> ReadAsync(CancellationToken cancellationToken)
    {
        await Nodes.FirstContactAsync(cancellationToken);
        var answers = await AskAllAsync(database => database.StringGetAsync([s_last, Lease]), cancellationToken);
        if (answers.Count < Majority)
        {
            throw new RegionException($"Only {answers.Count} of {Count} witnesses can be counted on, and {Majority} are a majority.");
        }
        var known = answers.Select(a => RegionPermit.Parse(a[0])).ToList();
        var last = known.MaxBy(p => p?.Epoch ?? 0);
        if (last is { } newest && known.Count(p => p == newest) < Majority)
        {
            // A majority must have it before anybody acts on it: the next to ask may reach others.
            await WriteAsync(newest, cancellationToken);
        }
        var holder = answers.Select(a => (string?)a[1]).Where(h => h is not null).GroupBy(h => h!, StringComparer.Ordinal)
            .FirstOrDefault(g => g.Count() >= Majority)?.Key;
        return (last, holder is null ? null : _options.Regions.FirstOrDefault(r => Owner(r.Name) == holder)?.Name ?? holder);
    }

    /// <summary>Writes down which region is active, while it holds the lease.</summary>
    /// <exception cref="RegionException">There is no majority, or a higher epoch is known.</exception>
    public async Task WriteAsync(RegionPermit permit, CancellationToken cancellationToken)
    {
        var answers = await AskAllAsync(
            database => database.ScriptEvaluateAsync(s_raise, [s_last], [permit.ToString(), permit.Epoch]), cancellationToken);
        if (answers.Count(a => (string?)a == permit.ToString()) < Majority)
        {
            throw new RegionException($"No majority of the witnesses took down '{permit}' as the active region.");
        }
    }

    public ValueTask DisposeAsync() => _provider.DisposeAsync();

    private static string Owner(string region) => $"region:{region}";

    private async Task<(RegionLease? Lease, RedlockRound Round, RedlockOutcome Outcome)> AskAsync(
        string region, long token, CancellationToken cancellationToken)
    {
        // Counted from before the request: the witnesses start the TTL later.
        var asked = _clock.GetTimestamp();
        var round = Nodes.Ask(Lease, Owner(region), _options.LeaseTtl, token);
        var outcome = await Nodes.OutcomeAsync(round, _options.LeaseTtl, cancellationToken);
        var until = LeaseValidity.Until(_clock, asked, _options.LeaseTtl);
        return (round.Quorum.IsReached && until > _clock.GetTimestamp() ? new RegionLease(region, token, until) : null, round, outcome);
    }

    /// <summary>What those answer that can be counted on; one that is slow is not waited for when a majority has answered.</summary>
    private async Task<List<T>> AskAllAsync<T>(Func<IDatabase, Task<T>> command, CancellationToken cancellationToken)
    {
        var answered = new Quorum(Count);
        var asking = Nodes.Nodes.Select(node => OneAsync(node)).ToList();
        await answered.DecidedAsync(_options.NodeTimeout, _clock, cancellationToken);
        var all = Task.WhenAll(asking);
        if (await Task.WhenAny(all, Task.Delay(s_slow, cancellationToken)) != all)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
        return [.. asking.Where(a => a.IsCompletedSuccessfully).Select(a => a.Result).Where(a => a.HasAnswered).Select(a => a.Answer!)];

        async Task<(T? Answer, bool HasAnswered)> OneAsync(RedlockNode node)
        {
            (T?, bool) answer = default;
            if (node.IsReady && node.Connection is { IsConnected: true } connection)
            {
                try
                {
                    answer = (await command(connection.GetDatabase()).WaitAsync(_options.NodeTimeout, cancellationToken), true);
                }
                catch (Exception)
                {
                    // It does not count.
                }
            }
            answered.Vote(answer.Item2);
            return answer;
        }
    }

    private NoQuorumException NoQuorum(RedlockOutcome outcome) => new(Lease, Count, outcome.Errors);
}
