using AspireRedis.Chaos.Faults;

namespace AspireRedis.Chaos;

/// <summary>Hears how a run goes.</summary>
internal interface IChaosProgress
{
    void Begun(int number, Fault fault, string target);

    void Ended(int number, FaultRecord fault, int acknowledged);

    /// <summary>The last customer has gone; what is under way is waited for.</summary>
    void Settling();
}
