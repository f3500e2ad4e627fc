using System.Diagnostics;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>One write on its way through a <see cref="CommitQueue"/>.</summary>
internal sealed class DurableWrite(
    RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability, Activity? span, CancellationToken cancellationToken)
{
    private readonly long _start = Stopwatch.GetTimestamp();

    // Continuations on the pool: a caller must not run on the committing loop.
    private readonly TaskCompletionSource<RedisResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Durability Durability => durability;

    /// <summary>Since when it is tried.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_start);

    /// <summary>What its script returned, once that is acknowledged.</summary>
    public Task<RedisResult> Completion => _completion.Task;

    public Task<RedisResult> SendHashAsync(DedicatedConnection connection)
    {
        span?.SetServer(connection.Node);
        return script.SendHashAsync(connection.Database, keys, arguments);
    }

    public Task<RedisResult> SendTextAsync(DedicatedConnection connection) => script.SendTextAsync(connection.Database, keys, arguments);

    /// <summary>True when its caller has gone away.</summary>
    public bool TryCancel() => cancellationToken.IsCancellationRequested && _completion.TrySetCanceled(cancellationToken);

    public void Succeed(RedisResult result, PrimaryRoute? route)
    {
        route?.Observer.Succeeded(_start);
        _completion.TrySetResult(result);
    }

    /// <summary>Ends it with <paramref name="exception"/>, whatever that is.</summary>
    public void Fail(Exception exception) => _completion.TrySetException(exception);

    /// <summary>Ends it with what a failed attempt means for its caller; false when it is to be made again instead.</summary>
    public bool TryFail(Exception exception, PrimaryRoute? route, TimeSpan retryFor)
    {
        var kind = RedisFailure.Of(exception);
        if (kind == RedisFailureKind.Final)
        {
            Fail(exception);
            return true;
        }
        route?.Observer.Failed(_start);
        if ((kind == RedisFailureKind.NotApplied || script.Repeatable) && Age < retryFor)
        {
            return false;
        }
        Fail(exception is RedisOutcomeUnknownException or RedisUnavailableException ? exception
            : kind == RedisFailureKind.Unknown ? new RedisOutcomeUnknownException(exception)
            : new RedisUnavailableException(exception));
        return true;
    }
}
