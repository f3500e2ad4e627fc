using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using AspireRedis.Coordination.Diagnostics;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Failover.Cluster;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// Calls scripts, and those calls together that are made while others are under way: as one script that can do what each of
/// its members does. Under load this spares the client most of the work for a command, and the server some.
/// </summary>
/// <remarks>
/// No call waits for the answer to another: what has come by the time a thread of the pool gets to it goes together. One that
/// comes alone goes at once and as itself. All are sent in the order in which they were made.
/// In a Redis Cluster only those of one slot go together. A group that the server refuses for one of its calls is made again one by one.
/// A group of scripts that are not repeatable is not made again when its answer is lost; calls that are made one by one may have been made
/// in the group before.
/// Safe for concurrent use.
/// </remarks>
/// <param name="script">
/// Has as <c>KEYS</c> the keys of all calls, and as <c>ARGV</c> for each the number of its script in
/// <paramref name="members"/>, from 1, and its arguments. Answers with all answers in their order. May be
/// a member itself, which is answered as it is when it is called alone.
/// </param>
/// <param name="members">What it can do: scripts that have as many keys and arguments as each other.</param>
internal sealed class ScriptGroup(RedisScript script, params RedisScript[] members) : IThreadPoolWorkItem
{
    // About a third of a millisecond in which the server does nothing else.
    private const int MaxCalls = 64;

    private readonly ConcurrentQueue<Call> _queue = new();
    private int _underWay;
    private int _scheduled;

    /// <summary>Runs a member.</summary>
    /// <inheritdoc cref="RedisDeployment.EvaluateAsync" path="/exception"/>
    public ValueTask<RedisResult> CallAsync(RedisDeployment deployment, RedisScript member, RedisKey[] keys, RedisValue[] arguments)
        => CommandSpan.IsWanted
            ? TraceAsync(deployment, member, keys, arguments)
            : QueueAsync(deployment, member, keys, arguments);

    private async ValueTask<RedisResult> TraceAsync(RedisDeployment deployment, RedisScript member, RedisKey[] keys, RedisValue[] arguments)
    {
        using var span = CommandSpan.StartScript(member.Name);
        var start = Stopwatch.GetTimestamp();
        try
        {
            return await QueueAsync(deployment, member, keys, arguments);
        }
        catch (Exception e)
        {
            span.Fail(e);
            throw;
        }
        finally
        {
            var shard = deployment.ShardOf(keys);
            span?.SetServer(shard.KnownPrimary);
            shard.Route?.Explain(span, start);
        }
    }

    private ValueTask<RedisResult> QueueAsync(RedisDeployment deployment, RedisScript member, RedisKey[] keys, RedisValue[] arguments)
    {
        if (Interlocked.Increment(ref _underWay) == 1)
        {
            return CallAloneAsync(deployment, member, keys, arguments);
        }
        var call = new Call(deployment, member, keys, arguments);
        _queue.Enqueue(call);
        Schedule();
        return call.Answer;
    }

    /// <summary>Sends what has come.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        var calls = new List<Call>(Math.Min(MaxCalls, _underWay));
        while (calls.Count < MaxCalls && _queue.TryDequeue(out var call))
        {
            calls.Add(call);
        }
        if (calls.Count > 1 && calls[0].Deployment.IsCluster)
        {
            // A script has the keys of one slot.
            foreach (var together in calls.GroupBy(static c => KeySlot.Of(c.Keys[0])).ToList())
            {
                _ = SendAsync([.. together]);
            }
        }
        else if (calls.Count > 0)
        {
            _ = SendAsync(calls);
        }
        // Not before they are sent: the next could overtake.
        Interlocked.Exchange(ref _scheduled, 0);
        if (!_queue.IsEmpty)
        {
            Schedule();
        }
    }

    private void Schedule()
    {
        if (Interlocked.Exchange(ref _scheduled, 1) == 0)
        {
            // Behind those that are about to call, too.
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<RedisResult> CallAloneAsync(RedisDeployment deployment, RedisScript member, RedisKey[] keys,
        RedisValue[] arguments)
    {
        try
        {
            return await deployment.ShardOf(keys).TryAsync(member, keys, arguments);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private async Task SendAsync(List<Call> calls)
    {
        if (calls.Count == 1)
        {
            await SendAloneAsync(calls[0]);
            return;
        }
        try
        {
            var (keys, arguments) = Combine(calls);
            var answers = await calls[0].Deployment.ShardOf(keys).TryAsync(script, keys, arguments);
            Interlocked.Add(ref _underWay, -calls.Count);
            for (var i = 0; i < calls.Count; i++)
            {
                calls[i].Completion.SetResult(answers[i]);
            }
        }
        catch (Exception e) when (RedisFailure.Of(e) == RedisFailureKind.Final)
        {
            // Those before the one that was refused have been made: they are repeatable.
            foreach (var call in calls)
            {
                _ = SendAloneAsync(call);
            }
        }
        catch (Exception e)
        {
            Interlocked.Add(ref _underWay, -calls.Count);
            calls.ForEach(c => c.Completion.SetException(e));
        }
    }

    private async Task SendAloneAsync(Call call)
    {
        try
        {
            var answer = await CallAloneAsync(call.Deployment, call.Member, call.Keys, call.Arguments);
            call.Completion.SetResult(answer);
        }
        catch (Exception e)
        {
            call.Completion.SetException(e);
        }
    }

    private (RedisKey[] Keys, RedisValue[] Arguments) Combine(List<Call> calls)
    {
        var (keysEach, argumentsEach) = (calls[0].Keys.Length, calls[0].Arguments.Length + 1);
        var keys = new RedisKey[calls.Count * keysEach];
        var arguments = new RedisValue[calls.Count * argumentsEach];
        for (var i = 0; i < calls.Count; i++)
        {
            calls[i].Keys.CopyTo(keys, i * keysEach);
            arguments[i * argumentsEach] = Array.IndexOf(members, calls[i].Member) + 1;
            calls[i].Arguments.CopyTo(arguments, (i * argumentsEach) + 1);
        }
        return (keys, arguments);
    }

    private sealed class Call(RedisDeployment deployment, RedisScript member, RedisKey[] keys, RedisValue[] arguments)
        : IValueTaskSource<RedisResult>
    {
        // Continuations on the pool: a caller must not run between the answers of the others.
        public ManualResetValueTaskSourceCore<RedisResult> Completion = new() { RunContinuationsAsynchronously = true };

        public RedisDeployment Deployment => deployment;

        public RedisScript Member => member;

        public RedisKey[] Keys => keys;

        public RedisValue[] Arguments => arguments;

        public ValueTask<RedisResult> Answer => new(this, Completion.Version);

        public RedisResult GetResult(short token) => Completion.GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => Completion.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
            => Completion.OnCompleted(continuation, state, token, flags);
    }
}
