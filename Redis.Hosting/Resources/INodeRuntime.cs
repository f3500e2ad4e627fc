using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Resources;

/// <summary>
/// What runs the nodes of one deployment: processes of the installed <c>redis-server</c>, or containers. An instance is what a
/// running node is for the operating system or the container engine: a process id, or a container id.
/// </summary>
internal interface INodeRuntime
{
    /// <summary>The property of a node's snapshot that names its instance.</summary>
    string InstanceProperty { get; }

    /// <summary>
    /// Whether nodes know each other by addresses that this machine does not reach, so that clients need a map from those to
    /// the published ports.
    /// </summary>
    bool HasOwnAddresses { get; }

    /// <summary>The address of this machine that the nodes reach; known when the deployment is being laid out.</summary>
    string ThisMachine { get; }

    /// <summary>Adds one node to the model.</summary>
    IResourceBuilder<IRedisNodeResource> AddNode(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment,
        string nodeName, RedisRole role);

    /// <summary>Has the data outlive the application, where this runtime keeps such data.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="deployment">The deployment; its nodes may still change.</param>
    /// <param name="directory">An absolute path, or null for the runtime's own choice.</param>
    /// <exception cref="InvalidOperationException">This runtime cannot keep data in a directory.</exception>
    void KeepData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment, string? directory);

    /// <summary>
    /// Gives the nodes of a deployment that keeps its data what an earlier run left, each time that its nodes have
    /// changed.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another program has what a node needs.</exception>
    void TakeOverData(IDistributedApplicationBuilder builder, RedisDeploymentResource deployment);

    /// <summary>Finds the addresses, and makes what the nodes need before the first of them starts.</summary>
    /// <exception cref="InvalidOperationException">It cannot be made; the message says what is missing.</exception>
    Task<INodeLayout> PrepareAsync(RedisDeploymentResource deployment, CancellationToken cancellationToken);

    /// <summary>Where this machine reaches a node.</summary>
    RedisAddress ReachedAt(IRedisNodeResource resource, RedisNode node);

    /// <summary>Called when an instance of a node runs, which may be more than once for one instance.</summary>
    /// <exception cref="InvalidOperationException">The instance cannot be reached by the others.</exception>
    Task StartedAsync(RedisNode node, string instance, CancellationToken cancellationToken);

    /// <summary>Ends an instance at once.</summary>
    /// <exception cref="InvalidOperationException">There is no such instance.</exception>
    Task KillAsync(string instance, CancellationToken cancellationToken);

    /// <summary>Stops an instance where it is: it keeps its connections and answers nothing.</summary>
    /// <exception cref="InvalidOperationException">There is no such instance.</exception>
    Task FreezeAsync(string instance, CancellationToken cancellationToken);

    /// <summary>Lets a frozen instance go on.</summary>
    /// <exception cref="InvalidOperationException">There is no such instance.</exception>
    Task UnfreezeAsync(string instance, CancellationToken cancellationToken);

    /// <summary>A directory of an instance, where this machine can read it.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="directory">Its path as the instance sees it.</param>
    /// <param name="copyTo">A directory of this machine for a copy, where one is needed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">There is no such instance or directory.</exception>
    Task<string> FilesAsync(string instance, string directory, string copyTo, CancellationToken cancellationToken);

    /// <summary>Removes what was made for this run, when the application has stopped. Leaves what cannot be removed.</summary>
    Task CleanUpAsync(RedisDeploymentResource deployment);
}
