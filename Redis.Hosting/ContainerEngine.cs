using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.Configuration;

namespace AspireRedis.Hosting;

/// <summary>
/// The client of the container engine that Aspire uses. Aspire itself learns too late whether an engine runs for the mode to
/// be chosen, and has no means to give a container an address or to freeze it.
/// </summary>
internal sealed class ContainerEngine
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(30);

    private readonly string _client;

    private ContainerEngine(string client) => _client = client;

    /// <summary>The engine that runs and not only its client; null for none.</summary>
    public static ContainerEngine? Find(IConfiguration configuration)
    {
        // The settings by which Aspire is told which engine to use.
        var chosen = configuration["ASPIRE_CONTAINER_RUNTIME"] ?? configuration["DOTNET_ASPIRE_CONTAINER_RUNTIME"];
        string[] clients = string.IsNullOrWhiteSpace(chosen) ? ["docker", "podman"] : [chosen];
        return clients.Select(client => new ContainerEngine(client)).FirstOrDefault(engine => engine.Answers());
    }

    /// <summary>Runs the client and gives its output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has what it printed.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(s_bound);
        try
        {
            await process.WaitForExitAsync(bound.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellationToken.ThrowIfCancellationRequested();
            throw new InvalidOperationException($"'{_client} {string.Join(' ', arguments)}' did not end within {s_bound.TotalSeconds} s.");
        }
        var printed = await output;
        return process.ExitCode == 0
            ? printed.Trim()
            : throw new InvalidOperationException($"'{_client} {string.Join(' ', arguments)}' failed: {(await error).Trim()}");
    }

    private bool Answers()
    {
        try
        {
            using var process = Start(["info"]);
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

    private Process Start(string[] arguments) => Process.Start(new ProcessStartInfo(_client, arguments)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
