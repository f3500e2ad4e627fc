using System.Diagnostics;

namespace AspireRedis.LocalServers;

/// <summary>Waits for conditions that nothing announces. Safe for concurrent use.</summary>
public static class Poll
{
    /// <summary>How long to pause between two looks: 25 ms.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);

    /// <summary>
    /// Looks again and again until nothing is missing any more. A look that throws counts as "missing", with the
    /// exception's message.
    /// </summary>
    /// <param name="missing">
    /// One look: null when the condition holds, else what is still missing. Its token is cancelled at the bound.
    /// </param>
    /// <param name="bound">How long to go on.</param>
    /// <param name="what">The condition in words, for the error.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that ends when the condition holds.</returns>
    /// <exception cref="TimeoutException">
    /// The bound has passed; the message has <paramref name="what"/> and what was missing at the last look.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task UntilAsync(
        Func<CancellationToken, Task<string?>> missing, TimeSpan bound, string what, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(missing);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(bound);
        var clock = Stopwatch.StartNew();
        var last = "no look ended";
        Exception? cause = null;
        while (true)
        {
            try
            {
                var now = await missing(deadline.Token);
                if (now is null)
                {
                    return;
                }

                (last, cause) = (now, null);
            }
            catch (StopWaitingException)
            {
                throw;
            }
            catch (Exception e) when (!deadline.IsCancellationRequested)
            {
                (last, cause) = (e.Message, e);
            }
            catch (Exception) when (deadline.IsCancellationRequested)
            {
                // The look was cut short by the bound: the one before says more.
            }

            try
            {
                await Task.Delay(Interval, deadline.Token);
            }
            catch (OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                throw new TimeoutException($"{what}: not within {clock.Elapsed.TotalSeconds:0.0} s. Last seen: {last}", cause);
            }
        }
    }
}
