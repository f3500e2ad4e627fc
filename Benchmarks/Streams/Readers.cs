namespace AspireRedis.Benchmarks.Streams;

/// <summary>Consumers in other processes, as the server sees them.</summary>
internal static class Readers
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    /// <summary>Waits until so many connections are inside a blocking read.</summary>
    public static async Task SeenAsync(StreamClient client, int count)
    {
        using var deadline = new CancellationTokenSource(s_bound);
        while (((string)(await client.Database.ExecuteAsync("CLIENT", "LIST"))!).Split('\n')
            .Count(c => c.Contains(" cmd=xreadgroup ", StringComparison.Ordinal)
            && c.Contains(" flags=b ", StringComparison.Ordinal)) < count)
        {
            await Task.Delay(20, deadline.Token);
        }
    }
}
