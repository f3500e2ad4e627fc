using System.ComponentModel;
using System.Diagnostics;
using AspireRedis.Hosting.Containers;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>A test that needs a container engine with the Redis image; skipped in one line where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ContainerFactAttribute : FactAttribute
{
    private const string Image = $"{RedisImageTags.Registry}/{RedisImageTags.Image}:{RedisImageTags.Tag}";

    public ContainerFactAttribute()
    {
        // Not pulled: a test run downloads nothing.
        if (!Succeeds("docker", "image", "inspect", Image) && !Succeeds("podman", "image", "inspect", Image))
        {
            Skip = $"Container mode is not tried: no container engine with {Image} answers.";
        }
    }

    private static bool Succeeds(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true,
                RedirectStandardError = true })!;
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            return process.WaitForExit(TimeSpan.FromSeconds(30)) && process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
