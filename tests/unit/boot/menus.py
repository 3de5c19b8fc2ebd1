# SPDX-License-Identifier: GPL-3.0-or-later
"""Menus of the shape that update-grub writes, with the parts that trip a reader by lines."""

from __future__ import annotations

ROOT = "11111111-1111-4111-8111-111111111111"
OTHER = "33333333-3333-4333-8333-333333333333"
ESP = "AAAA-BBBB"

MENU = f"""\
### BEGIN /etc/grub.d/00_header ###
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${{next_entry}}" ] ; then
   set default="${{next_entry}}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="0"
fi
function load_video {{
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}}
if loadfont unicode ; then
  set gfxmode=auto
  load_video
  insmod gfxterm
fi
terminal_output gfxterm
if [ x$feature_timeout_style = xy ] ; then
  set timeout_style=menu
  set timeout=5
else
  set timeout=5
fi
### END /etc/grub.d/00_header ###
### BEGIN /etc/grub.d/10_linux ###
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-{ROOT}' {{
\tsearch --no-floppy --fs-uuid --set=root {ROOT} # {{ not a block
\techo\t'Loading }} ...'
\tlinux\t/boot/vmlinuz-6.12 root=UUID={ROOT} ro quiet
\tinitrd\t/boot/initrd.img-6.12
}}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-{ROOT}' {{
\tmenuentry 'Debian, with Linux 6.12' $menuentry_id_option 'gnulinux-6.12-advanced-{ROOT}' {{
\t\tlinux\t/boot/vmlinuz-6.12 root=UUID={ROOT} ro
\t}}
}}
### END /etc/grub.d/10_linux ###
### BEGIN /etc/grub.d/30_os-prober ###
menuentry 'Windows 10 (on /dev/sda1)' --class windows $menuentry_id_option 'osprober-chain-1' {{
\tinsmod ntfs
\tset root='hd0,msdos1'
\tchainloader +1
}}
menuentry 'Ubuntu (on /dev/sda3)' $menuentry_id_option 'osprober-gnulinux-simple-{OTHER}' {{
\tlinux /boot/vmlinuz root=UUID={OTHER} ro
}}
### END /etc/grub.d/30_os-prober ###
if [ "$grub_platform" = "efi" ]; then
\tmenuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {{
\t\tfwsetup
\t}}
fi
"""
TITLES = {
    "0": "Debian GNU/Linux",
    "1": "Advanced options",
    "1>0": "Debian, with Linux 6.12",
    "2": "Windows 10 (on /dev/sda1)",
    "3": "Ubuntu (on /dev/sda3)",
    "4": "UEFI Firmware Settings",
}
