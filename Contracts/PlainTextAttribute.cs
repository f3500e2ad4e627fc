using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;

namespace AspireRedis.Contracts;

/// <summary>
/// Text that people read on one line: something to see, no control characters (NUL, line ends, escapes), no line or
/// paragraph separators, and no characters that turn the direction of what follows (embeddings, overrides and isolates),
/// with which a name can be made to look like another. Null is left to <see cref="RequiredAttribute"/>.
/// </summary>
/// <param name="member">The member as JSON names it.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter)]
public sealed class PlainTextAttribute(string member) : ValidationAttribute
{
    /// <summary>The member as JSON names it.</summary>
    public string Member => member;

    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
        => value is string text && Complaint(text) is { } complaint
            ? new ValidationResult($"{member} {complaint}")
            : ValidationResult.Success;

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is not string text || Complaint(text) is null;

    private static string? Complaint(string text)
    {
        var visible = false;
        foreach (var rune in text.EnumerateRunes())
        {
            var kind = Rune.GetUnicodeCategory(rune) switch
            {
                UnicodeCategory.Control => "control characters",
                UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => "line separators",
                UnicodeCategory.Format when rune.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069)
                    => "characters that change the direction of text",
                _ => null,
            };
            if (kind is not null)
            {
                return string.Create(CultureInfo.InvariantCulture, $"must not contain {kind}: it has U+{rune.Value:X4}.");
            }
            visible |= !Rune.IsWhiteSpace(rune) && Rune.GetUnicodeCategory(rune) != UnicodeCategory.Format && !IsBlank(rune.Value);
        }
        return visible ? null : "must not be blank.";
    }

    // Letters by their category, with nothing to see: the Hangul fillers and the blank of Braille.
    private static bool IsBlank(int character) => character is 0x115F or 0x1160 or 0x3164 or 0xFFA0 or 0x2800;
}
