using System.Net;
using System.Text.Json;

namespace AspireRedis.Shop.Tests.Support;

internal static class Problems
{
    /// <summary>That an answer is a problem in the sense of RFC 9457 that helps its reader.</summary>
    /// <returns>The problem.</returns>
    public static async Task<JsonElement> AssertProblemAsync(this HttpResponseMessage response, HttpStatusCode status, string? type = null)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == status, $"Expected {(int)status}, got {(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        Assert.False(string.IsNullOrWhiteSpace(problem.GetProperty("title").GetString()), text);
        Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("traceId").GetString());
        Assert.DoesNotContain("AspireRedis.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        if (type is not null)
        {
            Assert.Equal(type, problem.GetProperty("type").GetString());
        }
        return problem;
    }

    /// <summary>The keys of <c>errors</c>; empty when there are none.</summary>
    public static IReadOnlyList<string> ErrorKeys(this JsonElement problem)
        => problem.TryGetProperty("errors", out var errors) ? [.. errors.EnumerateObject().Select(e => e.Name)] : [];

    /// <summary>What it tells in words: <c>detail</c> and the messages of <c>errors</c>.</summary>
    public static string Messages(this JsonElement problem)
    {
        var errors = problem.TryGetProperty("errors", out var all)
            ? all.EnumerateObject().SelectMany(e => e.Value.EnumerateArray()).Select(m => m.GetString())
            : [];
        return string.Join('\n', errors.Append(problem.TryGetProperty("detail", out var detail) ? detail.GetString() : null));
    }
}
