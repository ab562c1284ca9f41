//! The macro for the table: one entry defines a setting's field, documentation, parser, default and row in the
//! reference.

/// The settings of one subject. Each entry consists of its purpose (which is also the text in the reference), the
/// field, its type, and how it is parsed: key, range and default.
macro_rules! section {
    (
        $( #[$about:meta] )+
        $name:ident, $title:literal;
        $( $( #[doc = $purpose:literal] )+ $field:ident: $type:ty = $entry:expr; )+
    ) => {
        $( #[$about] )+
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $( #[doc = $purpose] )+ pub $field: $type, )+
        }

        impl $name {
            /// The values that were set.
            pub(in crate::config) fn read(reader: &mut crate::config::reader::SettingsReader) -> Self {
                use crate::config::entry::SettingEntry as _;
                Self { $( $field: ($entry).read(reader), )+ }
            }

            /// The rows of the table.
            pub(in crate::config) fn section() -> crate::config::setting::Section {
                use crate::config::entry::row;
                let settings = vec![$( row::<$type>($entry, concat!($($purpose),+).trim_ascii()), )+];
                crate::config::setting::Section { title: $title, settings }
            }
        }

        impl $name {
            /// The section with its defaults, as without any setting.
            pub fn usual() -> &'static Self {
                static USUAL: std::sync::LazyLock<$name> =
                    std::sync::LazyLock::new(|| $name::read(&mut crate::config::reader::SettingsReader::empty()));
                &USUAL
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::usual().clone()
            }
        }
    };
}
pub(super) use section;
