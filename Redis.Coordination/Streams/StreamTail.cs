using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using AspireRedis.Coordination.Streams.Consuming;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Streams;

/// <summary>
/// Reads a whole stream and then what is appended to it, without a group: everybody who reads so gets every entry, and nothing is
/// acknowledged. For short streams that tell of changes, such as <c>XADD ... MAXLEN ~ 10000</c>.
/// </summary>
/// <remarks>
/// Each reader has a connection of its own, which follows the primary. Without a gap, or it says so
/// (<see cref="StreamTailBatch.StartsAnew"/>): with each read it looks whether the last entry before it is still there and still the same,
/// so that neither a failover that has lost entries nor a stream that was trimmed goes unnoticed. Safe for concurrent use.
/// </remarks>
public sealed class StreamTail
{
    private const string FirstId = "0-0";

    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    private readonly RedisDeployment _deployment;
    private readonly string _key;
    private readonly StreamTailOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;

    /// <summary>Creates the reader; nothing is connected before the first use.</summary>
    /// <param name="deployment">Where the stream is.</param>
    /// <param name="key">The stream's key; it need not exist.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="clock">Paces it; null for the system's.</param>
    /// <param name="logger">Hears of connections that are lost; null for nobody.</param>
    /// <exception cref="ArgumentException">The key is empty, or an option cannot be used.</exception>
    public StreamTail(RedisDeployment deployment, string key, StreamTailOptions? options = null, TimeProvider? clock = null,
        ILogger<StreamTail>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(deployment);
        ArgumentException.ThrowIfNullOrWhiteSpace(key);
        _options = options ?? new StreamTailOptions();
        _options.Validate();
        _deployment = deployment;
        _key = key;
        _clock = clock ?? TimeProvider.System;
        _logger = logger ?? NullLogger<StreamTail>.Instance;
    }

    /// <summary>Reads until it is cancelled. The first batch comes as soon as the server has answered, be the stream empty.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="RegionNotActiveException">The region is a standby, or has become one.</exception>
    /// <exception cref="RedisServerException">The key is no stream, or the user may not read it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async IAsyncEnumerable<StreamTailBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var position = new Position();
        var pause = TimeSpan.Zero;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (connection, failure) = await TryAsync<DedicatedConnection>(
                async () => await OpenAsync(cancellationToken), cancellationToken);
            if (connection is not null)
            {
                await using (connection)
                {
                    while (true)
                    {
                        var began = _clock.GetTimestamp();
                        (var batch, failure) = await TryAsync(() => ReadAsync(connection, position, cancellationToken), cancellationToken);
                        if (failure is not null)
                        {
                            break;
                        }
                        pause = TimeSpan.Zero;
                        if (batch is not null)
                        {
                            yield return batch;
                        }
                        if (position.IsCaughtUp && _options.Interval - _clock.GetElapsedTime(began) is var left && left > TimeSpan.Zero)
                        {
                            await Task.Delay(left, _clock, cancellationToken);
                        }
                    }
                }
            }
            pause = pause == TimeSpan.Zero ? s_firstPause : pause * 2 < s_longestPause ? pause * 2 : s_longestPause;
            _deployment.ShardOf(_key).Noticed(failure!);
            _logger.LogInformation("The reader of {Stream} lost its connection and connects again: {Reason}", _key, failure!.Message);
            await Task.Delay(pause, _clock, cancellationToken);
        }
    }

    private async Task<DedicatedConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var shard = _deployment.ShardOf(_key);
        if (shard.Guard is { } guard)
        {
            await guard.EnterAsync(cancellationToken);
        }
        return await shard.OpenDedicatedAsync($"{_key}-tail", _options.Block, RedisShard.Bound, cancellationToken);
    }

    /// <summary>One read; null when there is nothing to tell.</summary>
    private async Task<StreamTailBatch?> ReadAsync(DedicatedConnection connection, Position position, CancellationToken cancellationToken)
    {
        var database = connection.Database;
        var (last, startsAnew, wasCaughtUp) = (position.Last, position.IsNew, position.IsCaughtUp);
        // Who is caught up waits at the server for the next.
        object[] block = position.IsCaughtUp ? ["BLOCK", (long)_options.Block.TotalMilliseconds] : [];
        object[] arguments = ["COUNT", _options.BatchSize, .. block, "STREAMS", (RedisKey)_key, last?.Id ?? FirstId];
        var reading = database.ExecuteAsync("XREAD", arguments);
        // Behind it on the same connection: what is there now was there when it was read, for streams are trimmed from their beginning.
        var there = last is null ? null : database.StreamRangeAsync(_key, last.Value.Id, last.Value.Id);
        await Task.WhenAll(reading, there ?? Task.CompletedTask).WaitAsync(cancellationToken);
        if (there is not null && !(await there is [var entry] && AreSame(entry, last!.Value)))
        {
            // What follows the last entry here is not what follows it there.
            position.Restart();
            return await ReadAsync(connection, position, cancellationToken);
        }
        var reply = await reading;
        var entries = reply.IsNull ? [] : Array.ConvertAll(StreamEntryReply.ParseAll(reply[0][1]), e => new StreamEntry(e.Id, e.Fields));
        position.Read(entries, entries.Length < _options.BatchSize);
        // That there is no more may be the news: the batch before was full.
        return entries.Length > 0 || startsAnew || position.IsCaughtUp != wasCaughtUp
            ? new StreamTailBatch(startsAnew, position.IsCaughtUp, entries) : null;
    }

    /// <summary>The result, or why it could not be had and is tried again.</summary>
    private static async Task<(T? Result, Exception? Failure)> TryAsync<T>(Func<Task<T?>> action, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return (await action(), null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && IsPassing(e))
        {
            return (null, e);
        }
    }

    private static bool IsPassing(Exception e) => e is not RegionNotActiveException && e is not RedisServerException
        ? e.IsOfRedis() || e is ObjectDisposedException
        // UNBLOCKED: the server was demoted while the read was blocked.
        : RedisFailure.Of(e) == RedisFailureKind.NotApplied || e.Message.StartsWith("UNBLOCKED", StringComparison.Ordinal);

    private static bool AreSame(in StreamEntry one, in StreamEntry other)
        => one.Values.Length == other.Values.Length
            && one.Values.Zip(other.Values).All(pair => pair.First.Name == pair.Second.Name && pair.First.Value == pair.Second.Value);

    /// <summary>Where a reader stands.</summary>
    private sealed class Position
    {
        /// <summary>The last entry that was read; null before the first.</summary>
        public StreamEntry? Last { get; private set; }

        /// <summary>Nothing was read yet, or what was read counts no more.</summary>
        public bool IsNew { get; private set; } = true;

        public bool IsCaughtUp { get; private set; }

        public void Restart()
        {
            (Last, IsNew, IsCaughtUp) = (null, true, false);
        }

        public void Read(StreamEntry[] entries, bool isCaughtUp)
        {
            (IsNew, IsCaughtUp) = (false, isCaughtUp);
            if (entries.Length > 0)
            {
                Last = entries[^1];
            }
        }
    }
}
