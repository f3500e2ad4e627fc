using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Configuration;

namespace AspireRedis.Hosting;

/// <summary>Finds out whether a container engine runs, not only its client: Aspire itself learns it too late to choose.</summary>
internal static class ContainerEngine
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(10);

    public static bool Answers(IConfiguration configuration)
    {
        // The settings by which Aspire is told which engine to use.
        var chosen = configuration["ASPIRE_CONTAINER_RUNTIME"] ?? configuration["DOTNET_ASPIRE_CONTAINER_RUNTIME"];
        return string.IsNullOrWhiteSpace(chosen) ? Answers("docker") || Answers("podman") : Answers(chosen);
    }

    private static bool Answers(string client)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(client, ["info"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            // Read, or a full pipe would hold the client up.
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (process.WaitForExit(s_bound))
            {
                return process.ExitCode == 0;
            }
            process.Kill(entireProcessTree: true);
            return false;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
