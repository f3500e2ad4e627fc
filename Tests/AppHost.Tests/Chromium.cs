using Microsoft.Playwright;
using Xunit;

namespace AspireRedis.AppHost.Tests;

/// <summary>
/// The Chromium of this machine, driven by Playwright, which never downloads one. <c>CHROMIUM</c> says where it is; without it
/// the path is searched.
/// </summary>
public sealed class Chromium : IAsyncLifetime
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        var executable = Find() ?? throw new InvalidOperationException(
            "No Chromium is installed, which the tests of the page need: run `eng/setup --browser` (Debian), or install it by hand and say "
            + "in the environment variable CHROMIUM where its executable is.");
        // Machines that run tests are busy.
        Assertions.SetDefaultExpectTimeout((float)StartedAppHost.Bound.TotalMilliseconds);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = executable,
            // In a container, where everything runs as root, there is none; and /dev/shm is small.
            Args = ["--no-sandbox", "--disable-dev-shm-usage"],
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
        _playwright?.Dispose();
    }

    /// <summary>A browser of its own: no cookies, no storage, no connections of another.</summary>
    public async Task<IBrowserContext> NewContextAsync(ColorScheme colours = ColorScheme.Light, int width = 1280, int height = 900)
    {
        var context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            ColorScheme = colours,
            // As pictures show it: without what moves.
            ReducedMotion = ReducedMotion.Reduce,
            Locale = "en-GB",
            ViewportSize = new ViewportSize { Width = width, Height = height },
        });
        context.SetDefaultTimeout((float)StartedAppHost.Bound.TotalMilliseconds);
        return context;
    }

    private static string? Find()
        => Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } said ? said
            : (from name in s_names
               from folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
               let path = Path.Combine(folder, name)
               where File.Exists(path)
               select path).FirstOrDefault();
}
