using Aspire.Hosting.ApplicationModel;

namespace AspireRedis.Hosting.Health;

/// <summary>What the dashboard shows of a deployment.</summary>
/// <param name="Properties">In the order in which they are shown.</param>
/// <param name="IsDegraded">Whether it does less than it should.</param>
internal sealed record DeploymentStatus(ResourcePropertySnapshot[] Properties, bool IsDegraded);
