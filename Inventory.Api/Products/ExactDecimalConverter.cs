using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AspireRedis.Inventory.Products;

/// <summary>
/// Reads a number only when a decimal holds it exactly: the framework makes 0 of 1e-400 and rounds what has more than 28
/// digits, and whoever sent it would not hear of it.
/// </summary>
internal sealed class ExactDecimalConverter : JsonConverter<decimal>
{
    public override decimal Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.Number)
        {
            throw new JsonException();
        }
        var written = Encoding.ASCII.GetString(reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan);
        return reader.TryGetDecimal(out var value) && Normalise(written) == Normalise(value.ToString(CultureInfo.InvariantCulture))
            ? value
            : throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, decimal value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteNumberValue(value);
    }

    /// <summary>
    /// Sign, digits without zeros at either end, and the power of ten of the last digit: null for one far beyond what a decimal has.
    /// </summary>
    private static (bool Negative, string Digits, int? Exponent) Normalise(string number)
    {
        var negative = number[0] == '-';
        var mantissa = number.TrimStart('-');
        int? exponent = 0;
        if (mantissa.IndexOfAny(['e', 'E']) is >= 0 and var at)
        {
            var parsed = int.TryParse(mantissa.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var power);
            exponent = parsed && power is > -1_000_000 and < 1_000_000 ? power : null;
            mantissa = mantissa[..at];
        }
        if (mantissa.IndexOf('.', StringComparison.Ordinal) is >= 0 and var point)
        {
            exponent -= mantissa.Length - point - 1;
            mantissa = mantissa.Remove(point, 1);
        }
        var digits = mantissa.TrimEnd('0');
        exponent += mantissa.Length - digits.Length;
        digits = digits.TrimStart('0');
        return digits.Length == 0 ? (false, "", 0) : (negative, digits, exponent);
    }
}
