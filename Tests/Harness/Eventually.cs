using AspireRedis.LocalServers;
using Xunit;

namespace AspireRedis.Testing;

/// <summary>Waits for a condition and fails the test when it does not come true in time.</summary>
public static class Eventually
{
    /// <summary>How long a condition may take when nothing else is said: 30 s, since machines that run tests are busy.</summary>
    public static readonly TimeSpan DefaultBound = TimeSpan.FromSeconds(30);

    /// <summary>Until <paramref name="condition"/> gives true. One that throws counts as false.</summary>
    public static Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? bound = null,
        CancellationToken cancellationToken = default) =>
        UntilAsync(async _ => await condition() ? null : "false", what, bound, cancellationToken);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?, CancellationToken)"/>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? bound = null,
        CancellationToken cancellationToken = default) =>
        UntilAsync(_ => Task.FromResult(condition() ? null : "false"), what, bound, cancellationToken);

    /// <summary>Until <paramref name="assertions"/> throws nothing; the failure has the last exception's message.</summary>
    public static Task HoldsAsync(Func<Task> assertions, string what, TimeSpan? bound = null,
        CancellationToken cancellationToken = default) =>
        UntilAsync(
            async _ =>
            {
                await assertions();
                return null;
            },
            what,
            bound,
            cancellationToken);

    private static async Task UntilAsync(Func<CancellationToken, Task<string?>> missing, string what, TimeSpan? bound,
        CancellationToken cancellationToken)
    {
        try
        {
            // A condition that hangs and takes no token must not hang the test.
            await Poll.UntilAsync(token => missing(token).WaitAsync(token), bound ?? DefaultBound, what, cancellationToken);
        }
        catch (TimeoutException e)
        {
            Assert.Fail(e.Message);
        }
    }
}
