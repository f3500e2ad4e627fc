using StackExchange.Redis;

namespace AspireRedis.Coordination.Regions.Permission;

/// <summary>
/// Lets writes be made in the active region only. The server decides, in the script that writes: see <c>check-permit.lua</c>, which
/// every script gets. What it cannot see is that it was frozen in the middle of a script, for there time stands still; so an answer
/// counts only if the permission is known to outlast it. Safe for concurrent use.
/// </summary>
internal sealed class RegionGuard
{
    private const string Refusal = "REGION ";

    private readonly RegionMonitor _monitor;

    public RegionGuard(RegionMonitor monitor, string region)
    {
        _monitor = monitor;
        Region = region;
        Check = RedisScript.Read(typeof(RegionGuard), "check-permit")
            .Replace("@REGION@", region, StringComparison.Ordinal)
            .Replace("@LENGTH@", (region.Length + 1).ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    public string Region { get; }

    /// <summary>What a script that takes a lease has besides.</summary>
    public static string HandOverCheck { get; } = RedisScript.Read(typeof(RegionGuard), "refuse-while-handed-over");

    /// <summary>Whether the server said: not in this moment, in which leases are only given back.</summary>
    public static bool IsHandingOver(RedisServerException e) => e.Message.StartsWith("HANDOVER ", StringComparison.Ordinal);

    /// <summary>Whether the region accepts no writes, as far as is known.</summary>
    public bool IsStandby => _monitor.Current is { IsReached: true, IsActive: false };

    /// <summary>The other region; null when this process was not told of one.</summary>
    public RegionDefinition? Standby => _monitor.Other;

    /// <summary>What comes before the text of a script.</summary>
    public string Check { get; }

    /// <summary>Whether that is how a write fails whose region is not the active one, translated or as the server says it.</summary>
    public static bool IsOfStandby(Exception exception)
        => exception is RegionNotActiveException or RedisOutcomeUnknownException { InnerException: RegionNotActiveException }
            || (exception is RedisServerException && exception.Message.StartsWith(Refusal, StringComparison.Ordinal));

    /// <summary>Before a write; ends at once in the active region, and in one that was seen to be a standby a moment ago.</summary>
    /// <returns>The epoch, for <see cref="IsConfirmed"/>.</returns>
    /// <exception cref="RegionNotActiveException">The region is a standby.</exception>
    public ValueTask<long> EnterAsync(CancellationToken cancellationToken)
        => _monitor.Current is { IsReached: true, IsActive: true } state ? new ValueTask<long>(Enter(state))
            : LookAndEnterAsync(cancellationToken);

    /// <summary>Whether the permission of this epoch is known to be in force at this moment.</summary>
    public bool IsConfirmed(long epoch)
        => _monitor.Current is { IsActive: true } state && state.Epoch == epoch
            && System.Diagnostics.Stopwatch.GetTimestamp() < state.ActiveUntil;

    /// <summary>Asks the servers, after a write that is not confirmed.</summary>
    /// <exception cref="RedisOutcomeUnknownException">It was made, but perhaps after the permission was over, and is then lost.</exception>
    public async Task ConfirmAsync(long epoch, CancellationToken cancellationToken)
    {
        await _monitor.LookAsync(cancellationToken);
        if (!IsConfirmed(epoch))
        {
            RegionMetrics.Rejected.Add(1, RegionMetrics.Of(Region));
            throw new RedisOutcomeUnknownException(new RegionNotActiveException(Region, _monitor.Current?.ActiveRegion,
                _monitor.Current?.Epoch ?? 0));
        }
    }

    /// <summary>What to throw instead of a refusal of the server; null when it is something else.</summary>
    public RegionNotActiveException? Explain(Exception exception)
    {
        if (exception is not RedisServerException || !exception.Message.StartsWith(Refusal, StringComparison.Ordinal))
        {
            return null;
        }
        var said = RegionPermit.Parse(exception.Message[Refusal.Length..].Trim());
        // A server that was away knows only who was active then.
        return said is { } active && active.Epoch >= (_monitor.Current?.Epoch ?? 0) ? Refuse(active.Region, active.Epoch, exception)
            : Refuse(_monitor.Current?.ActiveRegion, _monitor.Current?.Epoch ?? 0, exception);
    }

    /// <summary>Until the region is active.</summary>
    public Task WaitUntilActiveAsync(CancellationToken cancellationToken) => _monitor.WaitUntilActiveAsync(cancellationToken);

    private async ValueTask<long> LookAndEnterAsync(CancellationToken cancellationToken)
    {
        // Where no server answers the command itself finds out, and a failover may be under way.
        return Enter(_monitor.Current is { IsReached: true } ? (await _monitor.CurrentForWriteAsync(cancellationToken))!
            : await _monitor.LookAsync(cancellationToken));
    }

    private long Enter(RegionState state)
        => state is { IsReached: true, IsActive: false, ActiveRegion: { } active } && active != Region
            ? throw Refuse(active, state.Epoch, null) : state.Epoch;

    private RegionNotActiveException Refuse(string? active, long epoch, Exception? why)
    {
        RegionMetrics.Rejected.Add(1, RegionMetrics.Of(Region));
        return new RegionNotActiveException(Region, active, epoch, why);
    }
}
