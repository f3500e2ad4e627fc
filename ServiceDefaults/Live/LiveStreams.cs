using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using AspireRedis.Coordination.Failover;
using AspireRedis.Coordination.Regions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace AspireRedis.ServiceDefaults.Live;

/// <summary>Adds what streams of Server-Sent Events share.</summary>
public static class LiveStreamsExtensions
{
    /// <summary>Adds <see cref="LiveStreams"/> and its options.</summary>
    public static IServiceCollection AddLiveStreams(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<LiveOptions>().BindConfiguration("Live").ValidateDataAnnotations().ValidateOnStart();
        return services.AddSingleton<LiveStreams>();
    }
}

/// <summary>
/// Streams of Server-Sent Events as the framework writes them, and what it leaves out: comments as heartbeats, a bound for readers that
/// are slow, an end that is told, and at once when the service stops. Safe for concurrent use.
/// </summary>
public sealed class LiveStreams(
    IOptions<LiveOptions> options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<LiveStreams> logger)
{
    private static readonly byte[] s_comment = ": still here\n\n"u8.ToArray();

    private int _count;

    /// <summary>The answer of an endpoint.</summary>
    /// <param name="context">The request.</param>
    /// <param name="source">
    /// The events, whose data is JSON. It is cancelled when the reader goes or the service stops, and ends the stream with
    /// <see cref="LiveEndException"/>.
    /// </param>
    public Results<ServerSentEventsResult<string>, ProblemHttpResult> Answer(
        HttpContext context, Func<CancellationToken, IAsyncEnumerable<SseItem<string>>> source)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(source);
        if (Volatile.Read(ref _count) >= options.Value.MaxStreams)
        {
            return TypedResults.Problem("This instance serves as many streams as it may. Try again.",
                statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        context.Response.Headers.CacheControl = "no-cache, no-store";
        // Of nginx: what comes is passed on at once.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(HeadRequests.Is(context) ? NothingAsync() : RunAsync(context, source));
    }

    /// <summary>The last event of a stream.</summary>
    private static SseItem<string> End(string reason) => new($$"""{"reason":"{{reason}}"}""", "end");

    private static async IAsyncEnumerable<SseItem<string>> NothingAsync()
    {
        await Task.CompletedTask;
        yield break;
    }

    private async IAsyncEnumerable<SseItem<string>> RunAsync(HttpContext context,
        Func<CancellationToken, IAsyncEnumerable<SseItem<string>>> source,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(
            context.RequestAborted, lifetime.ApplicationStopping, cancellationToken);
        var slowAfter = options.Value.SlowAfter;
        // Runs while the framework writes.
        await using var watchdog = clock.CreateTimer(_ =>
        {
            logger.LogInformation("A reader of {Path} is cut: he has accepted nothing for {SlowAfter}.", context.Request.Path,
                2 * slowAfter);
            context.Abort();
        }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Interlocked.Increment(ref _count);
        try
        {
            await using var events = source(ending.Token).GetAsyncEnumerator(ending.Token);
            // So that the reader knows that he is connected, before there is an event.
            await CommentAsync(context, watchdog, slowAfter, ending.Token);
            while (true)
            {
                var (item, end) = await NextAsync(context, events, watchdog, slowAfter, ending.Token);
                if (end is not null && context.RequestAborted.IsCancellationRequested)
                {
                    yield break;
                }
                var began = clock.GetTimestamp();
                watchdog.Change(2 * slowAfter, Timeout.InfiniteTimeSpan);
                yield return end is null ? item : End(end);
                watchdog.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                if (end is not null)
                {
                    yield break;
                }
                if (clock.GetElapsedTime(began) >= slowAfter)
                {
                    logger.LogInformation("A reader of {Path} is cut: he is too slow.", context.Request.Path);
                    yield return End(LiveEnd.Slow);
                    yield break;
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _count);
        }
    }

    /// <summary>The next event, or why the stream ends. Meanwhile the reader gets heartbeats.</summary>
    private async Task<(SseItem<string> Item, string? End)> NextAsync(HttpContext context, IAsyncEnumerator<SseItem<string>> events,
        ITimer watchdog, TimeSpan slowAfter, CancellationToken ending)
    {
        var next = events.MoveNextAsync();
        if (next.IsCompletedSuccessfully)
        {
            return next.Result ? (events.Current, null) : (default, LiveEnd.Complete);
        }
        var moving = next.AsTask();
        try
        {
            while (true)
            {
                try
                {
                    return await moving.WaitAsync(options.Value.Heartbeat, clock, ending)
                        ? (events.Current, null) : (default, LiveEnd.Complete);
                }
                // The source may fail with one of its own, and the event may come in the moment in which the heartbeat is due.
                catch (TimeoutException e) when (!ReferenceEquals(e, moving.Exception?.InnerException))
                {
                    if (!moving.IsCompleted)
                    {
                        await CommentAsync(context, watchdog, slowAfter, ending);
                    }
                }
            }
        }
        catch (LiveEndException e)
        {
            return (default, e.Reason);
        }
        catch (RegionNotActiveException)
        {
            return (default, LiveEnd.Standby);
        }
        catch (Exception e) when (ending.IsCancellationRequested)
        {
            logger.LogDebug(e, "A stream of {Path} ends.", context.Request.Path);
            await ((Task)moving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return (default, LiveEnd.Shutdown);
        }
        catch (Exception e) when (RedisFailure.Of(e) != RedisFailureKind.Final || Unavailability.Explain(e) is not null)
        {
            logger.LogWarning("A stream of {Path} ends: {Reason}", context.Request.Path, e.Message);
            return (default, LiveEnd.Unavailable);
        }
    }

    /// <summary>Between two events, so that nobody else writes: the framework waits for the next one.</summary>
    private static async Task CommentAsync(HttpContext context, ITimer watchdog, TimeSpan slowAfter, CancellationToken ending)
    {
        watchdog.Change(2 * slowAfter, Timeout.InfiniteTimeSpan);
        await context.Response.Body.WriteAsync(s_comment, ending);
        await context.Response.Body.FlushAsync(ending);
        watchdog.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
