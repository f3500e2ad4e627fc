namespace AspireRedis.Testing;

/// <summary>The build output of the repository's own projects.</summary>
public static class BuiltProject
{
    private const string Framework = "net10.0";

#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif

    /// <summary>The dll of a project, built in the same configuration as this one.</summary>
    /// <param name="project">
    /// The project's folder from the root of the repository, such as <c>Orders.Api</c>; its last part is the dll's
    /// name.
    /// </param>
    public static string Path(string project)
    {
        var name = System.IO.Path.GetFileName(project);
        var dll = System.IO.Path.Combine(Repository.Root, project, "bin", Configuration, Framework, name + ".dll");
        return File.Exists(dll)
            ? dll
            : throw new InvalidOperationException(
                $"{dll} does not exist: build it first with 'dotnet build -c {Configuration} {project}'.");
    }
}
