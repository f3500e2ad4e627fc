using System.Globalization;

namespace AspireRedis.Hosting.Containers;

/// <summary>What AppHosts that were killed have left in the container engine.</summary>
internal static class LeftBehind
{
    /// <summary>How the volumes begin that end with the run.</summary>
    public const string VolumePrefix = "aspireredis-run-";

    /// <summary>The label of networks that end with the run.</summary>
    public const string NetworkLabel = "aspireredis.session";

    // Another AppHost may just be starting: what it has made has no container yet.
    private static readonly TimeSpan s_age = TimeSpan.FromMinutes(10);

    /// <summary>Removes networks and volumes that no container uses and that are older than ten minutes.</summary>
    public static async Task RemoveAsync(ContainerEngine engine, CancellationToken cancellationToken)
    {
        await engine.RunAsync(cancellationToken, "network", "prune", "--force", "--filter", $"label={NetworkLabel}", "--filter",
            string.Create(CultureInfo.InvariantCulture, $"until={s_age.TotalMinutes:0}m"));
        var volumes = await engine.RunAsync(cancellationToken, "volume", "ls", "--quiet", "--filter", "dangling=true", "--filter",
            $"name={VolumePrefix}");
        foreach (var volume in volumes.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            try
            {
                var created = await engine.RunAsync(cancellationToken, "volume", "inspect", "--format", "{{.CreatedAt}}", volume);
                if (DateTimeOffset.TryParse(created, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                    && DateTimeOffset.UtcNow - time > s_age)
                {
                    await engine.RunAsync(cancellationToken, "volume", "rm", volume);
                }
            }
            catch (InvalidOperationException)
            {
                // Another AppHost was quicker, or has taken it.
            }
        }
    }
}
