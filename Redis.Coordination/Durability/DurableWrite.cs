using System.Diagnostics;
using System.Net;
using System.Threading.Tasks.Sources;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>One write on its way through a <see cref="CommitQueue"/>.</summary>
internal sealed class DurableWrite(
    RedisScript script, RedisKey[] keys, RedisValue[] arguments, Durability durability, Activity? span, CancellationToken cancellationToken)
    : IValueTaskSource<RedisResult>
{
    private readonly long _start = Stopwatch.GetTimestamp();

    // Continuations on the pool: a caller must not hold up those that commit. See Complete for the one that may.
    private ManualResetValueTaskSourceCore<RedisResult> _completion = new() { RunContinuationsAsynchronously = true };
    private RedisResult? _result;
    private bool _isEnding;

    public Durability Durability => durability;

    /// <summary>By which its shard is found.</summary>
    public RedisKey Key => keys[0];

    /// <summary>A server has refused it for the moment: with it, a <c>WAIT</c> behind it may have nothing to speak for.</summary>
    public bool WasRefused { get; private set; }

    /// <summary>
    /// It was applied by a primary that has handed over to this one, which has it too, and is to be acknowledged here by its replicas. Null
    /// otherwise.
    /// </summary>
    public (EndPoint Node, RedisResult Result)? Inherited { get; set; }

    /// <summary>Since when it is tried.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_start);

    /// <summary>What its script returned, once that is acknowledged. To be awaited once.</summary>
    public ValueTask<RedisResult> Completion => new(this, _completion.Version);

    public Task<RedisResult> SendHashAsync(DedicatedConnection connection)
    {
        span?.SetServer(connection.Node);
        if (Inherited is { } inherited)
        {
            if (inherited.Node.Equals(connection.Node))
            {
                return Task.FromResult(inherited.Result);
            }
            // That one has been replaced too, by whom is not known to have it.
            Inherited = null;
            return Task.FromException<RedisResult>(new RedisOutcomeUnknownException(
                new RedisConnectionException(ConnectionFailureType.SocketClosed, "The primary has changed twice.")));
        }
        return script.SendHashAsync(connection.Database, keys, arguments);
    }

    public Task<RedisResult> SendTextAsync(DedicatedConnection connection) => script.SendTextAsync(connection.Database, keys, arguments);

    /// <summary>True when its caller has gone away.</summary>
    public bool TryCancel()
    {
        if (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        Cancel();
        return true;
    }

    /// <summary>Its caller waits no longer, whatever becomes of it.</summary>
    public void Cancel()
    {
        if (TryEnd())
        {
            _completion.SetException(new OperationCanceledException(cancellationToken));
        }
    }

    /// <summary>It is acknowledged; <see cref="Complete"/> tells its caller.</summary>
    public void Succeed(RedisResult result, PrimaryRoute? route)
    {
        route?.Observer.Succeeded(_start);
        _result = result;
    }

    /// <summary>Has the caller go on with what <see cref="Succeed"/> was given.</summary>
    /// <param name="here">On this thread, which has nothing else to do.</param>
    public void Complete(bool here)
    {
        if (TryEnd())
        {
            _completion.RunContinuationsAsynchronously = !here;
            _completion.SetResult(_result!);
        }
    }

    /// <summary>Ends it with <paramref name="exception"/>, whatever that is.</summary>
    public void Fail(Exception exception)
    {
        if (TryEnd())
        {
            _completion.SetException(PermissionDenied.Explain(exception, script.Name, script.Text) ?? exception);
        }
    }

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
        WasRefused |= exception is RedisServerException || RedisFailure.IsElsewhere(exception);
        if ((kind == RedisFailureKind.NotApplied || script.Repeatable) && Age < retryFor)
        {
            return false;
        }
        Fail(exception is RedisOutcomeUnknownException or RedisUnavailableException ? exception
            : kind == RedisFailureKind.Unknown ? new RedisOutcomeUnknownException(exception)
            : new RedisUnavailableException(exception));
        return true;
    }

    RedisResult IValueTaskSource<RedisResult>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<RedisResult>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<RedisResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        => _completion.OnCompleted(continuation, state, token, flags);

    private bool TryEnd() => !Interlocked.Exchange(ref _isEnding, true);
}
