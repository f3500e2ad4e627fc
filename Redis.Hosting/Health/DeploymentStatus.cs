using Aspire.Hosting.ApplicationModel;

namespace AspireRedis.Hosting.Health;

/// <summary>What the dashboard shows of a deployment.</summary>
/// <param name="Properties">In the order in which they are shown.</param>
/// <param name="Urls">What is shown in the column of URLs.</param>
/// <param name="Outage">Why nobody can use it, in a word or two; null when somebody can.</param>
internal sealed record DeploymentStatus(ResourcePropertySnapshot[] Properties, UrlSnapshot[] Urls, string? Outage);
